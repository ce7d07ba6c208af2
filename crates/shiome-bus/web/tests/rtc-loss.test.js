// Channels that are lost for a while, and what comes of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, tasks } from "./fake.js";
import { Stage } from "./fake-rtc.js";

test("a channel that is lost for a while goes on where it was", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  assert.equal(stage.rtc.path("bob").path, "direct");
  const { main } = stage.connection;
  for (let n = 0; n < 3; n += 1) await stage.alice.send("bob", "number", n);
  await tasks();
  assert.equal(main.frames("envelope").length, 3);
  main.say({ type: "ack", received: 3 });
  await clock.advance(2_100);
  assert.equal(stage.rtc.path("bob").path, "relayed");
  await stage.answer();
  main.say({ type: "pong", nonce: 1 });
  await stage.answer();
  await stage.answer();
  assert.equal(stage.rtc.path("bob").path, "direct", JSON.stringify(stage.told));
  main.frames();
  await stage.alice.send("bob", "number", 3);
  await tasks();
  assert.equal(main.frames("envelope").length, 1);
  // All ends count over the whole session.
  main.say({ type: "ack", received: 4 });
  await tasks();
  assert.equal(stage.rtc.path("bob").path, "direct", JSON.stringify(stage.told));
});

test("what was sent before a loss is acknowledged after it", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  const { main } = stage.connection;
  for (let n = 0; n < 3; n += 1) await stage.alice.send("bob", "number", n);
  await tasks();
  await clock.advance(2_100);
  assert.equal(stage.rtc.path("bob").path, "relayed");
  await stage.answer();
  // What was under way in the channel arrives after all.
  main.say({ type: "ack", received: 3 });
  await stage.answer();
  await stage.answer();
  assert.equal(stage.rtc.path("bob").path, "direct", JSON.stringify(stage.told));
});

test("the answer to the switch of a time before the loss does not open the channel", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  stage.rtc.connect("bob");
  await stage.answer();
  stage.describe("sys.rtc.answer");
  await tasks();
  stage.connection.open();
  await stage.answer({ keep: true });
  const early = stage.kept;
  assert.equal(early.length, 2);
  await clock.advance(2_100);
  await stage.answer({ keep: true });
  stage.connection.main.say({ type: "pong", nonce: 1 });
  await stage.answer({ keep: true });
  assert.equal(stage.kept.length, 2, "asked anew");
  for (const id of early) stage.say("sys.ack", null, { reply_to: id });
  await tasks();
  assert.notEqual(stage.rtc.path("bob").path, "direct", "what went over the relay since may be under way");
});

test("a candidate is taken after as many new ways as there are", async (t) => {
  const stage = await Stage.open(t);
  stage.session = "abc";
  stage.describe("sys.rtc.offer");
  await tasks();
  const { session, connection } = stage;
  for (let round = 0; round < 20; round += 1) {
    stage.describe("sys.rtc.offer");
    await tasks();
    for (let port = 1; port <= 5; port += 1) {
      const candidate = `candidate:1 1 udp 2113937151 192.0.2.9 ${1000 + round * 10 + port} typ host`;
      stage.say("sys.rtc.candidate", { session, candidate });
    }
    await tasks();
  }
  assert.equal(connection.candidates.length, 100);
});

test("connections that are closed leave no timers and no connection open", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await clock.advance(1);
  const before = clock.due.length;
  for (let round = 0; round < 5; round += 1) {
    await stage.direct();
    assert.equal(stage.rtc.path("bob").path, "direct");
    stage.rtc.disconnect("bob");
    await stage.answer();
    await clock.advance(100);
  }
  await clock.advance(31_000);
  assert.equal(stage.rtc.paths().size, 0);
  assert.equal(clock.due.length, before);
  assert.ok(stage.RTCPeerConnection.all.every(({ isClosed }) => isClosed));
});

test("what can no longer be sent is a dead letter", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  // The relay is gone, too, and comes back to nobody.
  stage.socket.drop();
  await tasks();
  for (let n = 0; n < 5; n += 1) await stage.alice.send("bob", "number", n);
  await clock.advance(2_100);
  assert.equal(stage.rtc.path("bob").path, "relayed");
  // Sent while what was there waits for the relay.
  stage.alice.close(0).catch(() => {});
  await tasks();
  await clock.advance(20_000);
  const lost = stage.alice.bus.drops().filter(({ name }) => name === "number");
  assert.deepEqual(lost.map(({ reason }) => reason), Array(5).fill("not_connected"));
});

test("who closes waits for what its channels have, as it does for the relay", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  const { main } = stage.connection;
  main.frames();
  main.bufferedAmount = 1_000_000;
  for (let n = 0; n < 3; n += 1) await stage.alice.send("bob", "number", n);
  let closed = false;
  const closing = stage.alice.close(5_000).then(() => (closed = true));
  await clock.advance(100);
  await tasks();
  assert.ok(!closed, "three envelopes wait for room in the channel");
  main.bufferedAmount = 0;
  main.onbufferedamountlow();
  assert.equal(main.frames("envelope").length, 3);
  main.say({ type: "ack", received: 3 });
  await stage.answer();
  await clock.advance(5_000);
  await closing;
});

test("of one description so many candidates are tried as there may be", async (t) => {
  const stage = await Stage.open(t);
  stage.session = "abc";
  for (let round = 1; round <= 2; round += 1) {
    stage.describe("sys.rtc.offer");
    await tasks();
    for (let port = 1; port <= 100; port += 1) {
      const candidate = `candidate:1 1 udp 2113937151 192.0.2.9 ${round * 1000 + port} typ host`;
      stage.say("sys.rtc.candidate", { session: stage.session, candidate });
    }
    await tasks();
    assert.equal(stage.connection.candidates.length, round * 64);
  }
});

test("who says something has both channels open, and is heard and acknowledged", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  const heard = [];
  stage.alice.on("number", ({ payload }) => heard.push(payload));
  stage.rtc.connect("bob");
  await stage.answer();
  stage.describe("sys.rtc.answer");
  await tasks();
  const { main } = stage.connection;
  main.open();
  main.say({ type: "envelope", id: "1.1", from: "bob", to: "alice", name: "number", payload: 7 });
  await tasks();
  assert.deepEqual(heard, [7]);
  await clock.advance(200);
  assert.deepEqual(main.frames("ack").map(({ received }) => received), [1]);
});

test("who closes says first what has come", async (t) => {
  new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  const { main } = stage.connection;
  main.frames();
  main.say({ type: "envelope", id: "1.1", from: "bob", to: "alice", name: "number", payload: 7 });
  await tasks();
  stage.rtc.disconnect("bob");
  assert.deepEqual(main.frames().map(({ type }) => type), ["ack", "goodbye"]);
});

test("what a slow relay has under way is waited for, and what was held back goes after it", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  stage.rtc.connect("bob");
  await stage.answer();
  stage.describe("sys.rtc.answer");
  await tasks();
  stage.connection.open();
  await stage.answer({ keep: true });
  const early = stage.kept;
  assert.equal(early.length, 2);
  await stage.alice.send("bob", "number", 1);
  const { main } = stage.connection;
  const relayed = [];
  for (let beat = 0; beat < 124; beat += 1) {
    await clock.advance(500);
    main.say({ type: "pong", nonce: 1 });
    for (const frame of stage.socket.frames()) {
      if (frame.type === "ping") stage.socket.say({ type: "pong", nonce: frame.nonce });
      else if (frame.type === "envelope") relayed.push(frame);
    }
  }
  assert.deepEqual(relayed.map(({ name }) => name), ["number", "sys.rtc.switch", "sys.rtc.switch"]);
  for (const id of early) stage.say("sys.ack", null, { reply_to: id });
  await tasks();
  assert.notEqual(stage.rtc.path("bob").path, "direct", "those that were asked first say nothing any more");
  for (const { id } of relayed.slice(1)) stage.say("sys.ack", null, { reply_to: id });
  await tasks();
  assert.equal(stage.rtc.path("bob").path, "direct");
  assert.equal(main.frames("envelope").length, 0, "nothing goes twice");
});

test("who closes waits no longer for channel and relay together than it was told", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  const { main } = stage.connection;
  main.bufferedAmount = 1_000_000;
  await stage.alice.send("bob", "number", 1);
  stage.socket.say({ type: "presence", present: [["carol", 1]] });
  // Neither is ever acknowledged.
  await stage.alice.send("carol", "number", 2);
  let end;
  const closing = stage.alice.close(5_000).then(() => (end = "closed"), ({ code }) => (end = code));
  for (let beat = 0; beat < 10; beat += 1) {
    assert.equal(end, undefined, `after ${beat * 500} ms`);
    main.say({ type: "pong", nonce: 1 });
    for (const { nonce } of stage.socket.frames("ping")) stage.socket.say({ type: "pong", nonce });
    await clock.advance(500);
  }
  await tasks();
  assert.equal(end, "Timeout");
  await closing;
});
