// The turn from one way to the other when the other way does not take what is to go over it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { parts } from "../shiome.js";
import { Clock, tasks } from "./fake.js";
import { Stage } from "./fake-rtc.js";

/** Answers that a peer waits for at most. */
const MAX_PENDING = 65_536;

/** Both channels are open, and what is asked over the relay is not answered yet. */
async function opened(stage) {
  stage.rtc.connect("bob");
  await stage.answer();
  stage.describe("sys.rtc.answer");
  await tasks();
  stage.connection.open();
  await tasks();
}

/** What the relay got of that name, acknowledged. */
function relayed(stage, name) {
  const envelopes = stage.socket.frames("envelope");
  stage.received = (stage.received ?? 0) + envelopes.length;
  if (envelopes.length > 0) stage.socket.say({ type: "ack", received: stage.received });
  return envelopes.filter((envelope) => envelope.name === name);
}

test("what is too long for the relay is a dead letter, and what comes after it goes on", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t, {}, { max_message: 4096 });
  await stage.direct();
  stage.connection.main.bufferedAmount = 1_000_000;
  await stage.alice.send("bob", "blob", "x".repeat(8000));
  const asked = stage.alice.request("bob", "blob", "y".repeat(8000), { timeoutMs: 60_000 });
  const refused = assert.rejects(asked, { code: "PayloadTooLarge" });
  await stage.alice.send("bob", "number", 1);
  await clock.advance(2_100);
  assert.equal(stage.rtc.path("bob").path, "relayed");
  assert.deepEqual(relayed(stage, "number").map(({ payload }) => payload), [1]);
  await refused;
  const lost = stage.alice.bus.drops().map(({ name, reason }) => [name, reason]);
  assert.deepEqual(lost, [["blob", "payload_too_large"], ["blob", "payload_too_large"]]);
  await stage.alice.send("bob", "number", 2);
  await tasks();
  assert.deepEqual(relayed(stage, "number").map(({ payload }) => payload), [2]);
});

test("a relay that throws at one envelope is asked once for it", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  stage.connection.main.bufferedAmount = 1_000_000;
  const { link } = parts.nodeOf(stage.alice);
  const push = link.push.bind(link);
  let asked = 0;
  t.mock.method(link, "push", (envelope) => {
    if (envelope.intent.name !== "bad") return push(envelope);
    asked += 1;
    throw parts.fail.refused("never");
  });
  await stage.alice.send("bob", "bad");
  await stage.alice.send("bob", "good");
  await clock.advance(2_100);
  assert.equal(asked, 1);
  assert.equal(relayed(stage, "good").length, 1);
  assert.deepEqual(stage.alice.bus.drops().map(({ name, reason }) => [name, reason]), [["bad", "refused"]]);
});

test("what waits for a relay that is slow is kept, and asked for again after its time", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  stage.connection.main.bufferedAmount = 1_000_000;
  const { link } = parts.nodeOf(stage.alice);
  let isFull = true;
  const push = link.push.bind(link);
  t.mock.method(link, "push", (envelope) => !(isFull && envelope.intent.name === "number") && push(envelope));
  await stage.alice.send("bob", "number", 1);
  for (let second = 0; second < 25; second += 1) {
    await clock.advance(1_000);
    for (const { nonce } of stage.socket.frames("ping")) stage.socket.say({ type: "pong", nonce });
  }
  assert.equal(stage.alice.bus.drops().length, 0);
  isFull = false;
  await clock.advance(10_000);
  assert.equal(relayed(stage, "number").length, 1);
});

test("a peer that waits for as many answers as it may turns to the channel once it does not", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  const { pending } = parts.nodeOf(stage.alice);
  stage.rtc.connect("bob");
  await stage.answer();
  stage.describe("sys.rtc.answer");
  await tasks();
  for (let n = pending.size; n < MAX_PENDING; n += 1) pending.set(`full-${n}`, { to: "carol", resolve: () => {} });
  stage.connection.open();
  await tasks();
  assert.notEqual(stage.rtc.path("bob").path, "direct");
  await clock.advance(500);
  assert.equal(relayed(stage, "sys.rtc.switch").length, 0, "none is said that is not waited for");
  for (const id of [...pending.keys()]) if (id.startsWith("full-")) pending.delete(id);
  await clock.advance(50);
  await stage.answer();
  assert.equal(stage.rtc.path("bob").path, "direct");
});

test("whose queue is full is not asked again at once, and not after the end", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await clock.advance(1);
  const before = clock.due.length;
  await opened(stage);
  const refuse = async () => {
    const asked = relayed(stage, "sys.rtc.switch");
    for (const { id } of asked) stage.say("sys.nack", { error: "queue_full" }, { reply_to: id });
    await tasks();
    return asked.length;
  };
  assert.equal(await refuse(), 2);
  for (let turn = 0; turn < 20; turn += 1) assert.equal(await refuse(), 0, "it is still the same moment");
  await clock.advance(49);
  assert.equal(await refuse(), 0);
  await clock.advance(1);
  assert.equal(await refuse(), 2, "asked anew");
  stage.rtc.close();
  await clock.advance(50);
  assert.equal(relayed(stage, "sys.rtc.switch").length, 0);
  await clock.advance(31_000);
  assert.equal(clock.due.length, before);
});
