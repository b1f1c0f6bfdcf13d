import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { BlockTable } from "../../lib/cli/block_table.ts";

interface Block {
  size: number;
  slot: number;
  type: number;
}

function blockAt(table: BlockTable, address: number): Block | undefined {
  const place = table.find(address);
  if (place < 0) return undefined;
  return { size: table.sizeBytesAt(place), slot: table.slotAt(place), type: table.typeAt(place) };
}

Deno.test("a block table holds what a Map holds, after any adds and removes", () => {
  // Few addresses a byte apart, so that homes are shared and neighbours move; some beyond 2^32.
  const address = fc.oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 1, max: 300 }).map((n) => 2 ** 46 + n * 2 ** 32),
  );
  fc.assert(fc.property(fc.array(address, { maxLength: 1000 }), (addresses) => {
    const table = new BlockTable();
    const model = new Map<number, Block>();
    addresses.forEach((address, i) => {
      const place = table.find(address);
      assertEquals(place >= 0, model.has(address));
      if (place >= 0) {
        table.remove(place);
        model.delete(address);
      } else {
        const block = { size: i * 2 ** 33, slot: i, type: i % 7 };
        table.add(address, block.size, block.slot, block.type);
        model.set(address, block);
      }
    });
    for (const address of addresses) assertEquals(blockAt(table, address), model.get(address));
  }));
});

Deno.test("a block table keeps every block as it grows and shrinks", () => {
  const table = new BlockTable();
  const blocks = 50_000;
  const addressOf = (i: number) => 0xc208000000 + i * 16;
  for (let i = 0; i < blocks; i++) table.add(addressOf(i), 16, i, 1);
  for (let i = 0; i < blocks; i += 2) table.remove(table.find(addressOf(i)));
  for (let i = 0; i < blocks; i++) {
    const expected = i % 2 === 0 ? undefined : { size: 16, slot: i, type: 1 };
    if (blockAt(table, addressOf(i))?.slot !== expected?.slot) {
      assertEquals(blockAt(table, addressOf(i)), expected);
    }
  }
});
