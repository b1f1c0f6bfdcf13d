// The Go peer: the workloads of bench/workloads.ts as a Go program would write them.
//
// It reads {"measuring": ..., "workloads": [...]} from standard input, runs what it knows of them, and
// prints one line {"name": ..., "ns": ...} for each: the median over its batches, in nanoseconds an
// operation. Every object escapes to the heap by being stored into a package-level variable, as a plain
// new(T) of a static type: what the compiler turns into runtime.newobject with a descriptor. What the
// public packages do not offer (persistentalloc, findObject, mallocgc without zeroing) is linked by name.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"time"
	"unsafe"
)

type workload struct {
	Name         string
	Kind         string
	Operations   int
	Sizes        []int
	Pointers     bool
	Graph        string
	LiveObjects  int
	Depth        int
	BallastBytes int
	GCPercent    int
	Seed         uint32
}

type input struct {
	Measuring struct {
		WarmBatches  int
		WarmMs       float64
		LeastBatches int
		MostBatches  int
		LeastMs      float64
	}
	Workloads []workload
}

// A batch is what is timed; before is what must be done between two of them, untimed.
type prepared struct {
	before func()
	batch  func()
}

type node struct {
	left, right *node
	x, y        uint64
}

type entry struct {
	next, previous *entry
	key, value     int64
}

type tree struct{ left, right *tree }

var (
	ballast [][]byte
	root    *node
	table   []*[65536]byte
	sinkAny unsafe.Pointer
	check   int
	escaped struct {
		n1     *byte
		n4     *int32
		n8     *int64
		n16    *[16]byte
		n1024  *[1024]byte
		n65536 *[65536]byte
		p8     *[1]*byte
		p16    *[2]*byte
		p32    *[4]*byte
		p64    *[8]*byte
		p256   *[32]*byte
		slice  []*byte
		entry  *entry
		tree   *tree
		longer *tree
	}
)

//go:linkname mallocgc runtime.mallocgc
func mallocgc(size uintptr, typ unsafe.Pointer, needzero bool) unsafe.Pointer

//go:linkname persistentalloc runtime.persistentalloc
func persistentalloc(size, align uintptr, stat *uint64) unsafe.Pointer

//go:linkname findObject runtime.findObject
func findObject(p, refBase, refOff uintptr) (base uintptr, span unsafe.Pointer, index uintptr)

func main() {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		fmt.Fprintln(os.Stderr, "go peer: standard input is no workload list:", err)
		os.Exit(1)
	}
	for _, w := range in.Workloads {
		p := prepare(w)
		if p.batch == nil {
			continue
		}
		line, _ := json.Marshal(map[string]any{"name": w.Name, "ns": measure(&in, w, p)})
		fmt.Println(string(line))
		ballast, root, table, escaped.longer = nil, nil, nil, nil
		runtime.GC()
	}
}

// Runs a batch and what goes before it; the nanoseconds that it took.
func runBatch(p prepared) float64 {
	if p.before != nil {
		p.before()
	}
	start := time.Now()
	p.batch()
	return float64(time.Since(start).Nanoseconds())
}

func measure(in *input, w workload, p prepared) float64 {
	for i, ns := 0, 0.0; i < in.Measuring.WarmBatches || ns < in.Measuring.WarmMs*1e6; i++ {
		ns += runBatch(p)
	}
	var times []float64
	sum := 0.0
	for i := 0; i < in.Measuring.MostBatches; i++ {
		if i >= in.Measuring.LeastBatches && sum >= in.Measuring.LeastMs*1e6 {
			break
		}
		took := runBatch(p)
		times = append(times, took/float64(w.Operations))
		sum += took
	}
	sort.Float64s(times)
	return (times[(len(times)-1)/2] + times[len(times)/2]) / 2
}

// The graph is made without a collection; then the heap has the ballast and the graph, and no garbage.
func prepare(w workload) prepared {
	debug.SetGCPercent(-1)
	for left := w.BallastBytes; left > 0; left -= 1 << 30 {
		n := left
		if n > 1<<30 {
			n = 1 << 30
		}
		ballast = append(ballast, make([]byte, n))
	}
	makeGraph(w)
	p := workOf(w)
	debug.SetGCPercent(w.GCPercent)
	runtime.GC()
	return p
}

func workOf(w workload) prepared {
	switch w.Kind {
	case "malloc", "mallocAmongLive":
		return prepared{batch: mallocOf(w)}
	case "newobject":
		return prepared{batch: func() {
			for i := 0; i < w.Operations; i++ {
				escaped.entry = new(entry)
			}
		}}
	case "collect":
		return prepared{batch: runtime.GC}
	case "newarray":
		return prepared{batch: makePointers(w.Operations, w.Sizes[0]/8)}
	case "trees":
		return prepared{batch: func() { binaryTrees(w.Depth) }}
	case "finalizerClear":
		return prepared{batch: finalizerClear(w)}
	case "finalizerRun":
		return prepared{batch: finalizerRun(w)}
	case "persistentalloc":
		return prepared{batch: func() {
			var stat uint64
			for i := 0; i < w.Operations; i++ {
				sinkAny = persistentalloc(uintptr(w.Sizes[0]), 8, &stat)
			}
		}}
	case "findObject":
		return prepared{batch: findObjects(w)}
	case "refill":
		return refill(w)
	case "sweep":
		return sweep(w)
	}
	return prepared{}
}

func mallocOf(w workload) func() {
	n := w.Operations
	if len(w.Sizes) == 3 {
		return func() {
			for i := 0; i < n; i += 3 {
				escaped.n1 = new(byte)
				escaped.n4 = new(int32)
				escaped.n8 = new(int64)
			}
		}
	}
	if w.Pointers {
		return mallocPointers(w.Sizes[0], n)
	}
	return mallocNoscan(w.Sizes[0], n)
}

func mallocNoscan(size, n int) func() {
	switch size {
	case 1:
		return func() {
			for i := 0; i < n; i++ {
				escaped.n1 = new(byte)
			}
		}
	case 8:
		return func() {
			for i := 0; i < n; i++ {
				escaped.n8 = new(int64)
			}
		}
	case 16:
		return func() {
			for i := 0; i < n; i++ {
				escaped.n16 = new([16]byte)
			}
		}
	case 1024:
		return func() {
			for i := 0; i < n; i++ {
				escaped.n1024 = new([1024]byte)
			}
		}
	case 65536:
		return func() {
			for i := 0; i < n; i++ {
				escaped.n65536 = new([65536]byte)
			}
		}
	}
	return nil
}

func mallocPointers(size, n int) func() {
	switch size {
	case 8:
		return func() {
			for i := 0; i < n; i++ {
				escaped.p8 = new([1]*byte)
			}
		}
	case 16:
		return func() {
			for i := 0; i < n; i++ {
				escaped.p16 = new([2]*byte)
			}
		}
	case 32:
		return func() {
			for i := 0; i < n; i++ {
				escaped.p32 = new([4]*byte)
			}
		}
	case 64:
		return func() {
			for i := 0; i < n; i++ {
				escaped.p64 = new([8]*byte)
			}
		}
	case 256:
		return func() {
			for i := 0; i < n; i++ {
				escaped.p256 = new([32]*byte)
			}
		}
	}
	return nil
}

func makePointers(operations, n int) func() {
	return func() {
		for i := 0; i < operations; i++ {
			escaped.slice = make([]*byte, n)
		}
	}
}

type random uint32

func (r *random) below(n int) int {
	*r = *r*1664525 + 1013904223
	return int(uint64(*r) * uint64(n) >> 32)
}

func makeGraph(w workload) {
	n := w.LiveObjects
	switch w.Graph {
	case "buffers":
		table = make([]*[65536]byte, n)
		for i := range table {
			table[i] = new([65536]byte)
		}
	case "tree":
		nodes := makeNodes(n)
		for i := 0; 2*i+1 < n; i++ {
			nodes[i].left = nodes[2*i+1]
			if 2*i+2 < n {
				nodes[i].right = nodes[2*i+2]
			}
		}
		root = nodes[0]
	case "random":
		nodes := makeNodes(n)
		r := random(w.Seed)
		ring := make([]int, n)
		for i := range ring {
			ring[i] = i
		}
		for i := n - 1; i > 0; i-- {
			j := r.below(i + 1)
			ring[i], ring[j] = ring[j], ring[i]
		}
		for i := range ring {
			nodes[ring[i]].left = nodes[ring[(i+1)%n]]
			nodes[i].right = nodes[r.below(n)]
		}
		root = nodes[0]
	}
}

func makeNodes(n int) []*node {
	nodes := make([]*node, n)
	for i := range nodes {
		nodes[i] = new(node)
	}
	return nodes
}

// The benchmark game's shape: a tree to stretch the heap, one that lives on, and many that do not. Trees
// are built from the top, each node linked into its parent before it gets children of its own.
func binaryTrees(depth int) {
	const least = 4
	check = count(build(depth + 1))
	escaped.longer = build(depth)
	for d := least; d <= depth; d += 2 {
		for i := 0; i < 1<<(depth-d+least); i++ {
			check += count(build(d))
		}
	}
	check += count(escaped.longer)
}

func build(depth int) *tree {
	escaped.tree = new(tree)
	fill(escaped.tree, depth)
	return escaped.tree
}

func fill(t *tree, depth int) {
	if depth == 0 {
		return
	}
	t.left = new(tree)
	fill(t.left, depth-1)
	t.right = new(tree)
	fill(t.right, depth-1)
}

func count(t *tree) int {
	if t.left == nil {
		return 1
	}
	return 1 + count(t.left) + count(t.right)
}

func finalizerClear(w workload) func() {
	live := make([]*[16]byte, w.LiveObjects)
	for i := range live {
		live[i] = new([16]byte)
	}
	finalizer := func(*[16]byte) {}
	return func() {
		for _, object := range live {
			runtime.SetFinalizer(object, finalizer)
		}
		for _, object := range live {
			runtime.SetFinalizer(object, nil)
		}
	}
}

func finalizerRun(w workload) func() {
	ran := 0
	done := make(chan bool)
	finalizer := func(*[16]byte) {
		if ran++; ran == w.Operations {
			ran = 0
			done <- true
		}
	}
	return func() {
		for i := 0; i < w.Operations; i++ {
			escaped.n16 = new([16]byte)
			runtime.SetFinalizer(escaped.n16, finalizer)
		}
		escaped.n16 = nil
		runtime.GC()
		<-done
	}
}

func findObjects(w workload) func() {
	nodes := makeNodes(w.LiveObjects)
	pointers := make([]uintptr, len(nodes))
	r := random(w.Seed)
	for i := range pointers {
		object := nodes[r.below(len(nodes))]
		pointers[i] = uintptr(unsafe.Pointer(object)) + uintptr(r.below(w.Sizes[0]))
	}
	return func() {
		for i := 0; i < w.Operations; i++ {
			base, _, _ := findObject(pointers[i%len(pointers)], 0, 0)
			check += int(base & 1)
		}
		runtime.KeepAlive(nodes)
	}
}

// One of the two blocks of each span is kept, so that each allocation must refill the cache.
func refill(w workload) prepared {
	size := uintptr(w.Sizes[0])
	kept := make([]unsafe.Pointer, w.LiveObjects)
	for i := range kept {
		kept[i] = mallocgc(size, nil, false)
		sinkAny = mallocgc(size, nil, false)
	}
	return prepared{
		before: runtime.GC,
		batch: func() {
			for i := 0; i < w.Operations; i++ {
				sinkAny = mallocgc(size, nil, false)
			}
			runtime.KeepAlive(kept)
		},
	}
}

func sweep(w workload) prepared {
	return prepared{
		before: func() {
			for i := 0; i < w.LiveObjects; i++ {
				escaped.p32 = new([4]*byte)
			}
			escaped.p32 = nil
		},
		batch: runtime.GC,
	}
}
