// Behaviours of peers on one bus.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Bus, Peer } from "../shiome.js";
import { BEHAVIOURS } from "./behaviours.js";
import { onOneBus } from "./worlds.js";

for (const [name, behaviour] of Object.entries(BEHAVIOURS)) {
  test(name, () => onOneBus(behaviour));
}

test("a full mailbox is told to who tries, and waited for by who sends", async () => {
  const bus = new Bus({ sendTimeoutMs: 30 });
  const [a, b] = [bus.peer("a"), bus.peer("b", { capacity: 2 })];
  let release;
  const held = new Promise((free) => (release = free));
  const begun = new Promise((begin) => b.once("hold", () => {
    begin();
    return held;
  }));
  a.trySend("b", "hold");
  await begun;
  const seen = [];
  b.on("x", ({ payload }) => seen.push(payload));
  [1, 2].forEach((n) => a.trySend("b", "x", n));
  assert.throws(() => a.trySend("b", "x", 3), { code: "QueueFull" });
  await assert.rejects(a.send("b", "x", 3), { code: "QueueFull" });
  const waits = a.send("b", "x", 4, { timeoutMs: 10_000 });
  const behind = a.send("b", "x", 5, { timeoutMs: 10_000, level: "handled" });
  assert.throws(() => a.trySend("b", "x", 6), { code: "QueueFull" });
  release();
  assert.equal((await waits).via, "bus");
  await behind;
  assert.deepEqual(seen, [1, 2, 4, 5]);
  assert.equal(bus.dropped("queue_full"), 3);
  assert.deepEqual(bus.drops(), [], "those who sent know");
  await bus.close();
});

test("a handler that sends to its own full peer is told at once", async () => {
  const a = new Peer("a", { capacity: 1 });
  const codes = [];
  a.once("begin", async () => {
    a.trySend("a", "x");
    await a.send("a", "x").catch(({ code }) => codes.push(code));
  });
  await a.send("a", "begin", null, { level: "handled" });
  assert.deepEqual(codes, ["QueueFull"]);
  await a.close();
});

test("a name is taken over by who says so", async () => {
  const bus = new Bus();
  const first = bus.peer("a");
  const second = bus.peer("a", { replace: true });
  assert.equal(first.isClosed, true);
  assert.deepEqual(bus.peers(), ["a"]);
  await first.close();
  assert.deepEqual(bus.peers(), ["a"], "the end of the first is not that of the second");
  await second.close();
  assert.deepEqual(bus.peers(), []);
});

test("errors of listeners stop nobody", async (t) => {
  const told = t.mock.method(console, "error", () => {});
  const bus = new Bus();
  const [a, b] = [bus.peer("a"), bus.peer("b")];
  bus.onDrop(() => {
    throw new Error("of a listener");
  });
  b.on("x", () => {
    throw new Error("of a handler");
  });
  await assert.rejects(a.send("b", "x", 1, { level: "handled" }), { code: "HandlerFailed", reason: "of a handler" });
  await assert.rejects(a.send("b", "y", 1, { level: "handled" }), { code: "NoHandler" });
  assert.deepEqual(told.mock.calls.map((call) => call.arguments[0].message), ["of a handler", "of a listener"]);
  await bus.close();
});

test("what is dropped is remembered up to a limit", async () => {
  const bus = new Bus();
  const [a] = [bus.peer("a"), bus.peer("b")];
  for (let n = 0; n < 300; n += 1) a.trySend("b", `n${n}`);
  await a.ping("b");
  await assert.rejects(a.send("b", "last", 1, { level: "handled" }), { code: "NoHandler" });
  assert.equal(bus.drops().length, 256);
  assert.equal(bus.drops()[0].name, "n45");
  assert.equal(bus.dropped("no_handler"), 301);
  await bus.close();
});
