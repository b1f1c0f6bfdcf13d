// The AssemblyScript peer: the workloads in AssemblyScript, compiled with its incremental runtime
// (--runtime incremental -O3). Every object escapes by being stored into a global. The host, program.ts
// beside this file, calls by name; a noscan block is a class of scalars or a StaticArray<u8>.

class N8 { a: u64 }
class N16 { a: u64; b: u64 }
class N1 { a: u8 }
class N4 { a: u32 }
class P8 { a: P8 | null }
class P16 { a: P8 | null; b: P8 | null }
class P32 { a: P8 | null; b: P8 | null; c: P8 | null; d: P8 | null }
class P64 {
  a: P8 | null; b: P8 | null; c: P8 | null; d: P8 | null;
  e: P8 | null; f: P8 | null; g: P8 | null; h: P8 | null;
}
class Entry { next: Entry | null; previous: Entry | null; key: i64; value: i64 }
class Node { left: Node | null; right: Node | null; x: u64; y: u64 }
class Tree { left: Tree | null; right: Tree | null }

let n1: N1 | null, n4: N4 | null, n8: N8 | null, n16: N16 | null;
let p8: P8 | null, p16: P16 | null, p32: P32 | null, p64: P64 | null;
let entry: Entry | null, bytes: StaticArray<u8> | null;
let array: StaticArray<P8 | null> | null;
let ballast: StaticArray<u8> | null;
let root: Node | null;
let table: StaticArray<StaticArray<u8> | null> | null;
let longer: Tree | null;

export function setBallast(size: i32): void { ballast = new StaticArray<u8>(size); }

export function dispose(): void {
  ballast = null; root = null; table = null; longer = null; bytes = null;
  __collect();
}

export function collect(): void { __collect(); }

export function noscan1(n: i32): void { for (let i = 0; i < n; i++) n1 = new N1(); }
export function noscan8(n: i32): void { for (let i = 0; i < n; i++) n8 = new N8(); }
export function noscan16(n: i32): void { for (let i = 0; i < n; i++) n16 = new N16(); }
export function noscanMixed(n: i32): void {
  for (let i = 0; i < n; i += 3) { n1 = new N1(); n4 = new N4(); n8 = new N8(); }
}
export function noscanBytes(n: i32, size: i32): void {
  for (let i = 0; i < n; i++) bytes = new StaticArray<u8>(size);
}
export function pointers8(n: i32): void { for (let i = 0; i < n; i++) p8 = new P8(); }
export function pointers16(n: i32): void { for (let i = 0; i < n; i++) p16 = new P16(); }
export function pointers32(n: i32): void { for (let i = 0; i < n; i++) p32 = new P32(); }
export function pointers64(n: i32): void { for (let i = 0; i < n; i++) p64 = new P64(); }
export function arrays(n: i32, size: i32): void {
  const length = size / 8;
  for (let i = 0; i < n; i++) array = new StaticArray<P8 | null>(length);
}
export function entries(n: i32): void { for (let i = 0; i < n; i++) entry = new Entry(); }

let state: u32;
function below(n: i32): i32 {
  state = state * 1664525 + 1013904223;
  return <i32>((<u64>state * <u64>n) >> 32);
}

function makeNodes(n: i32): StaticArray<Node> {
  const nodes = new StaticArray<Node>(n);
  for (let i = 0; i < n; i++) nodes[i] = new Node();
  return nodes;
}

export function makeTree(n: i32): void {
  const nodes = makeNodes(n);
  for (let i = 0; 2 * i + 1 < n; i++) {
    nodes[i].left = nodes[2 * i + 1];
    if (2 * i + 2 < n) nodes[i].right = nodes[2 * i + 2];
  }
  root = nodes[0];
}

export function makeRandom(n: i32, seed: u32): void {
  const nodes = makeNodes(n);
  const ring = new StaticArray<i32>(n);
  state = seed;
  for (let i = 0; i < n; i++) ring[i] = i;
  for (let i = n - 1; i > 0; i--) {
    const j = below(i + 1), other = ring[j];
    ring[j] = ring[i];
    ring[i] = other;
  }
  for (let i = 0; i < n; i++) {
    nodes[ring[i]].left = nodes[ring[(i + 1) % n]];
    nodes[i].right = nodes[below(n)];
  }
  root = nodes[0];
}

export function makeBuffers(n: i32, size: i32): void {
  const buffers = new StaticArray<StaticArray<u8> | null>(n);
  for (let i = 0; i < n; i++) buffers[i] = new StaticArray<u8>(size);
  table = buffers;
}

export function binaryTrees(depth: i32): i32 {
  let nodes = count(build(depth + 1));
  longer = build(depth);
  for (let d = 4; d <= depth; d += 2) {
    const trees = 1 << (depth - d + 4);
    for (let i = 0; i < trees; i++) nodes += count(build(d));
  }
  return nodes + count(longer!);
}

function build(depth: i32): Tree {
  const tree = new Tree();
  fill(tree, depth);
  return tree;
}

function fill(tree: Tree, depth: i32): void {
  if (depth == 0) return;
  const left = new Tree();
  tree.left = left;
  fill(left, depth - 1);
  const right = new Tree();
  tree.right = right;
  fill(right, depth - 1);
}

function count(tree: Tree): i32 {
  const left = tree.left;
  if (left == null) return 1;
  return 1 + count(left) + count(tree.right!);
}
