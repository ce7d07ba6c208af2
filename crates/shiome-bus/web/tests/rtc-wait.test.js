// What comes over a channel while its peer is busy.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, tasks } from "./fake.js";
import { Stage } from "./fake-rtc.js";

let seq = 0;

function number(n) {
  seq += 1;
  return { type: "envelope", id: `1.${seq}`, from: "bob", to: "alice", name: "number", payload: n };
}

const batch = (from, count) => Array.from({ length: count }, (_, n) => number(from + n));

test("as many short messages may wait for a busy peer as the other end may have under way", async (t) => {
  new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  const heard = [];
  let go;
  const gate = new Promise((resolve) => (go = resolve));
  stage.alice.on("number", async ({ payload }) => {
    await gate;
    heard.push(payload);
  });
  const { main } = stage.connection;
  // 8192 wait at most, and are far from 4 MiB.
  for (let n = 0; n < 8000; n += 100) main.say(...batch(n, 100));
  await tasks();
  assert.equal(stage.rtc.path("bob").path, "direct", JSON.stringify(stage.told.at(-1)));
  go();
  for (let turn = 0; turn < 10_000 && heard.length < 8000; turn += 1) await new Promise(setImmediate);
  assert.equal(heard.length, 8000);
});

test("who sends more than may wait is told that it is too much, and may come again", async (t) => {
  new Clock(t);
  const stage = await Stage.open(t);
  await stage.direct();
  stage.alice.on("number", () => new Promise(() => {}));
  const { main } = stage.connection;
  const long = "x".repeat(12_000);
  for (let n = 0; n < 4000 && stage.rtc.path("bob").path === "direct"; n += 1) main.say(number(long));
  await tasks();
  const last = stage.told.findLast(({ path }) => path === "relayed");
  assert.equal(last?.reason, "overload");
});

test("what comes before both channels are open is counted", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  stage.alice.on("number", () => {});
  stage.rtc.connect("bob");
  await stage.answer();
  stage.describe("sys.rtc.answer");
  await tasks();
  const { main } = stage.connection;
  main.open();
  main.say(...batch(0, 3));
  await tasks();
  stage.connection.channels.find(({ label }) => label === "shiome-loose").open();
  await stage.answer();
  await stage.answer();
  main.say(...batch(3, 2));
  await clock.advance(200);
  const acks = main.frames("ack");
  assert.equal(acks.at(-1)?.received, 5);
});

test("an acknowledgement that rides along makes no message too long", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t);
  stage.alice.on("number", () => {});
  stage.describe = function describe(name) {
    const { session } = this;
    const more = { incarnation: 1, encodings: ["json"], heartbeat_ms: 1000, max_message: 4096 };
    this.say(name, { version: 1, session, sdp: "v=0", ...more });
  };
  await stage.direct();
  const { main } = stage.connection;
  main.frames();
  let sent = 0;
  for (let len = 3800; len < 4096; len += 1) {
    main.say(...batch(len, 1));
    await tasks();
    try {
      await stage.alice.send("bob", "blob", "x".repeat(len));
      sent += 1;
    } catch (error) {
      assert.equal(error.code, "PayloadTooLarge");
    }
    await tasks();
    for (const bytes of main.sent.splice(0)) assert.ok(bytes.length - 1 <= 4096, `${len}: ${bytes.length - 1}`);
    main.say({ type: "ack", received: sent });
    await clock.advance(100);
  }
  assert.ok(sent > 0 && sent < 296);
});

test("a message that is announced and never comes leaves room for no other", async (t) => {
  const stage = await Stage.open(t);
  await stage.direct();
  const { main } = stage.connection;
  // The first piece of a message of no bytes.
  main.onmessage({ data: Uint8Array.of(1, 0, 0, 0, 0).buffer });
  await tasks();
  assert.equal(stage.rtc.path("bob").reason, "malformed");
});
