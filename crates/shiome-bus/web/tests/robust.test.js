// What is thrown, said or sent that should not be, and stops nobody.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Bus, Intent, MAX_DEPTH, MAX_MEMBERS, Mesh, Peer } from "../shiome.js";
import { Clock, connected, envelope, sockets, tasks } from "./fake.js";

const SOON = { timeoutMs: 500 };

const THROWN = [["nothing that is a text", Object.create(null)], ["a text", "no"], ["null", null], ["nothing", undefined]];

for (const [what, thrown] of THROWN) {
  test(`a handler or an interceptor that throws ${what} stops nobody`, async () => {
    const bus = new Bus();
    const [a, b] = [bus.peer("a"), bus.peer("b")];
    b.onError(() => {});
    b.on("bad", () => { throw thrown; });
    b.on("worse", async () => { throw thrown; });
    b.on("good", (delivery) => delivery.respond("yes"));
    for (const name of ["bad", "worse"]) {
      await assert.rejects(a.send("b", name, null, { level: "handled", ...SOON }), { code: "HandlerFailed" });
    }
    assert.equal((await a.request("b", "good", null, SOON)).payload, "yes");
    const refuses = b.interceptInbound(({ intent }) => { if (intent.name === "spam") throw thrown; });
    await assert.rejects(a.send("b", "spam", null, { level: "handled", ...SOON }), { code: "Refused" });
    refuses.cancel();
    const keeps = a.interceptOutbound(() => { throw thrown; });
    assert.throws(() => a.trySend("b", "good"), { code: "Refused" });
    keeps.cancel();
    assert.equal((await a.request("b", "good", null, SOON)).payload, "yes");
  });
}

test("a result that cannot be looked at is an error of its handler", async () => {
  const bus = new Bus();
  const [a, b] = [bus.peer("a"), bus.peer("b")];
  const errors = [];
  b.onError((error) => errors.push(error.message));
  b.on("bad", () => ({ get then() { throw new Error("no look"); } }));
  b.on("good", (delivery) => delivery.respond("yes"));
  await assert.rejects(a.send("b", "bad", null, { level: "handled", ...SOON }), { code: "HandlerFailed" });
  assert.deepEqual(errors, ["no look"]);
  assert.equal((await a.request("b", "good", null, SOON)).payload, "yes");
});

const nested = (depth) => {
  let payload = null;
  for (let level = 0; level < depth; level += 1) payload = [payload];
  return payload;
};

test("what a room says is nested no deeper than what a peer may send", async () => {
  const bus = new Bus();
  const [a, b] = [bus.peer("a"), bus.peer("b")];
  const [here, there] = [Mesh.join(a, "r"), Mesh.join(b, "r")];
  await here.waitFor("b");
  const heard = new Promise((hear) => there.on("x", hear));
  const { accepted } = await here.send("x", nested(MAX_DEPTH - 1));
  assert.equal(accepted, 1);
  assert.deepEqual(await heard, nested(MAX_DEPTH - 1));
  await assert.rejects(here.send("x", nested(MAX_DEPTH)), { code: "Serialization" });
});

test("what arrives is nested no deeper than what is sent, and the link ends that says so", async (t) => {
  const { alice, socket } = await connected(t);
  const got = [];
  alice.on("x", ({ payload }) => got.push(payload));
  socket.say(envelope({ name: "x", payload: nested(MAX_DEPTH) }));
  await tasks();
  assert.deepEqual(got, [nested(MAX_DEPTH)]);
  socket.raw(`[{"type":"later","more":${"[".repeat(100_000)}${"]".repeat(100_000)}}]`);
  assert.deepEqual([socket.closed, alice.bus.dropped("malformed")], [4105, 1]);
});

test("a payload that is nested one too deep ends its link", async (t) => {
  const { alice, socket } = await connected(t);
  socket.say(envelope({ name: "x", payload: nested(MAX_DEPTH + 1) }));
  assert.deepEqual([socket.closed, alice.state], [4105, "connecting"]);
});

test("what the server calls malformed again and again is not sent for ever, and all else is", async (t) => {
  const clock = new Clock(t);
  const { alice, Socket } = await connected(t);
  const lost = [];
  alice.onDrop(({ reason, id }) => lost.push([reason, id]));
  const ids = [1, 2, 3].map((n) => alice.trySend("bob", "x", n).id);
  await tasks();
  for (const resumed of [true, false]) {
    Socket.last.say({ type: "goodbye", reason: "malformed" });
    await clock.advance(5_000);
    const hello = await Socket.last.welcome({ resumed });
    assert.equal(hello.received, resumed ? 0 : undefined, "a new session, as numbers are others");
  }
  assert.deepEqual(lost, [["malformed", ids[0]]]);
  assert.deepEqual(Socket.last.frames("envelope").map(({ id }) => id), ids.slice(1));
  // What is acknowledged between two complaints was not at fault.
  Socket.last.say({ type: "goodbye", reason: "malformed" });
  await clock.advance(5_000);
  await Socket.last.welcome({ resumed: true });
  await tasks();
  Socket.last.say({ type: "ack", received: 1 }, { type: "goodbye", reason: "malformed" });
  await clock.advance(5_000);
  await Socket.last.welcome({ resumed: true, received: 1 });
  assert.deepEqual([lost.length, Socket.last.frames("envelope").map(({ id }) => id)], [1, ids.slice(2)]);
});

test("a room that was left says nothing more", async () => {
  const room = Mesh.join(new Bus().peer("a"), "r");
  room.leave();
  await assert.rejects(room.sendText("hello"), { code: "Closed" });
});

test("a server that names a long wait is not dialled without one", async (t) => {
  const clock = new Clock(t);
  const { Socket } = await connected(t, { giveUpMs: Infinity });
  Socket.last.drop();
  await clock.advance(1000);
  Socket.last.open();
  Socket.last.say({ type: "refused", reason: "limit", retry_ms: 2 ** 40 });
  // The longest that a timer can wait; more would be none at all.
  assert.equal(clock.due.at(-1), 2 ** 31 - 1);
});

test("what all send on to all dies out, however many they are", async () => {
  const bus = new Bus();
  const peers = Array.from({ length: 12 }, (_, n) => bus.peer(`p${n}`));
  let [calls, codes] = [0, new Set()];
  for (const peer of peers) {
    peer.on("x", async ({ intent }) => {
      calls += 1;
      for (const { id } of peers) if (id !== peer.id) await peer.send(id, intent).catch(({ code }) => codes.add(code));
    });
  }
  const quiet = bus.peer("quiet");
  await quiet.send("p0", "x");
  for (let before = -1; before !== calls; ) {
    before = calls;
    for (const { id } of peers) await quiet.ping(id, 60_000);
    await tasks();
  }
  assert.deepEqual([calls, [...codes]], [256, ["TooManyHops"]]);
  // What was made here goes to as many as one likes.
  const made = new Intent("note", 1);
  for (let n = 0; n < 20; n += 1) quiet.trySend("p0", made);
});

test("what is long takes more places in a mailbox", async () => {
  const bus = new Bus();
  const [a, b] = [bus.peer("a"), bus.peer("b", { capacity: 4 })];
  b.on("x", () => {});
  const long = "x".repeat(20_000);
  a.trySend("b", "x", long);
  a.trySend("b", "x", long);
  assert.throws(() => a.trySend("b", "x"), { code: "QueueFull" });
  await b.close();
});

test("users do not take the lane of the bus over a link", async (t) => {
  const { alice, socket } = await connected(t);
  const got = [];
  alice.onAny(({ from, priority }) => got.push([from, priority]));
  alice.bus.peer("near").trySend("alice", "x");
  socket.say(envelope({ name: "x", priority: "system" }));
  await tasks();
  assert.deepEqual(got, [["near", "normal"], ["bob", "normal"]]);
});

test("who asked is told that the answer is too large", async (t) => {
  const { alice, socket } = await connected(t, { bus: new Bus({ maxPayload: 100 }) });
  const answer = alice.request("bob", "x");
  await tasks();
  const [{ id }] = socket.frames("envelope");
  socket.say(envelope({ name: "x", reply_to: id, payload: "x".repeat(200) }));
  await assert.rejects(answer, { code: "PayloadTooLarge" });
});

test("a sender with many runs does not make others come twice", async (t) => {
  const { alice, socket } = await connected(t);
  alice.on("x", () => {});
  const first = envelope({ name: "x", id: "7.1" });
  socket.say(first);
  for (let run = 0; run < 9000; run += 1) {
    socket.say(envelope({ from: "eve", name: "x", id: `${run}.1` }));
    if (run % 500 === 0) await tasks();
  }
  await tasks();
  const before = alice.bus.dropped("duplicate");
  socket.say(first);
  assert.equal(alice.bus.dropped("duplicate"), before + 1);
});

test("receipts and pongs wait for room where the link is full of something else", async (t) => {
  const { alice, socket } = await connected(t, { queueFrames: 8 });
  alice.on("x", () => {});
  for (let n = 0; n < 8; n += 1) alice.trySend("bob", "data", n);
  assert.throws(() => alice.trySend("bob", "data"), { code: "QueueFull" });
  await tasks();
  socket.frames();
  const before = alice.bus.dropped();
  const asks = Array.from({ length: 20 }, (_, n) => envelope({ id: `1.${1_000_000 + n}`, name: "x", level: "handled" }));
  socket.say(...asks, envelope({ id: "1.1000020", name: "sys.ping", level: "answered", priority: "system" }));
  const answered = [];
  for (let round = 0, received = 0; round < 30 && answered.length < 21; round += 1) {
    await tasks();
    const told = socket.frames("envelope");
    answered.push(...told.map(({ reply_to }) => reply_to));
    received += (round === 0 ? 8 : 0) + told.length;
    socket.say({ type: "ack", received });
  }
  assert.deepEqual(answered.sort(), [...asks.map(({ id }) => id), "1.1000020"].sort());
  assert.equal(alice.bus.dropped(), before);
});

test("greetings of rooms are no loss of a peer that closes", async (t) => {
  const { alice, socket } = await connected(t);
  let release;
  alice.on("hold", () => new Promise((free) => (release = free)));
  socket.say(envelope({ name: "hold" }));
  await tasks();
  const closed = alice.close();
  socket.say(envelope({ name: "sys.mesh.join.lobby", payload: { answer: true }, priority: "system" }), envelope({ name: "x" }));
  await tasks();
  assert.equal(alice.bus.dropped("closed"), 1, "what was said to it, and no greeting");
  release();
  await tasks();
  socket.say({ type: "pong", nonce: 0 });
  await closed;
});

test("a server that tells no more of who is there takes nobody away", async (t) => {
  const { alice, socket } = await connected(t);
  const room = Mesh.join(alice, "lobby");
  socket.say(envelope({ name: "sys.mesh.join.lobby", payload: { answer: false }, priority: "system" }));
  await room.waitFor("bob");
  const answer = alice.request("bob", "x");
  await tasks();
  const asked = socket.frames("envelope").find(({ name }) => name === "x");
  socket.say({ type: "presence", all: true, partial: true });
  await tasks();
  assert.deepEqual([room.members().map(({ id }) => id), alice.reachable("bob")], [["bob"], true]);
  socket.say(envelope({ name: "x", reply_to: asked.id, payload: "yes" }));
  assert.equal((await answer).payload, "yes");
  room.greet("carol");
  await tasks();
  const { to, name, payload } = socket.frames("envelope").at(-1);
  assert.deepEqual([to, name, payload.answer], ["carol", "sys.mesh.join.lobby", true]);
  socket.say(envelope({ from: "carol", name: "sys.mesh.join.lobby", payload: { answer: false }, priority: "system" }));
  await room.waitFor("carol");
  // And who is gone after all is out.
  socket.say({ type: "presence", absent: ["bob"] });
  await tasks();
  assert.deepEqual(room.members().map(({ id }) => id), ["carol"]);
});

test("who finds a room full is told, and gets the next place", async (t) => {
  const { alice, socket } = await connected(t);
  const room = Mesh.join(alice, "lobby");
  const said = (from, verb, payload) => envelope({ from, id: `1.${(number += 1)}`, name: `sys.mesh.${verb}.lobby`, payload, priority: "system" });
  let number = 2_000_000;
  const names = Array.from({ length: MAX_MEMBERS }, (_, n) => `p${n}`);
  const told = async () => {
    await tasks();
    return socket.frames("envelope").map(({ to, name, payload }) => [to, name.split(".")[2], payload?.answer]);
  };
  socket.say({ type: "presence", present: names.map((name) => [name, 1]) });
  await told();
  for (const name of names) socket.say(said(name, "join", { answer: false }));
  socket.say({ type: "presence", present: [["late", 1]] });
  await told();
  assert.equal(room.members().length, MAX_MEMBERS);
  socket.say(said("late", "join", { answer: true, seq: 1 }));
  assert.deepEqual(await told(), [["late", "full", undefined]]);
  socket.say(said("late", "say", { name: "x", payload: 1, seq: 2, turn: 0 }));
  assert.deepEqual(await told(), [["late", "full", undefined]], "who speaks is told, too");
  socket.say(said("p0", "leave", { seq: 9 }));
  const greeted = await told();
  assert.ok(greeted.some(([to, verb, answer]) => to === "late" && verb === "join" && answer));
  socket.say(said("late", "join", { answer: false, seq: 1 }));
  await tasks();
  assert.ok(room.members().some(({ id }) => id === "late"));
});

test("a room in which there is no place for us says so in each report, until there is", async (t) => {
  const { alice, socket } = await connected(t);
  const room = Mesh.join(alice, "lobby");
  const said = (verb, payload) => envelope({ name: `sys.mesh.${verb}.lobby`, payload, priority: "system" });
  socket.say(said("join", { answer: true }));
  await room.waitFor("bob");
  socket.say(said("full", null));
  await tasks();
  assert.deepEqual([room.members(), room.isFull], [[], true]);
  const { accepted, members: [{ id, error }] } = await room.sendText("hello");
  assert.deepEqual([accepted, id, error.code], [0, "bob", "Refused"]);
  socket.say(said("join", { answer: true }));
  await room.waitFor("bob");
  assert.deepEqual([room.isFull, (await room.sendText("hello")).accepted], [false, 1]);
  socket.say(said("full", null));
  await tasks();
  socket.say({ type: "presence", absent: ["bob"] });
  await tasks();
  assert.equal(room.isFull, false);
});

test("a run that its link tells of is in, though its clock is behind", async (t) => {
  const { alice, socket } = await connected(t, {}, {});
  const room = Mesh.join(alice, "lobby");
  const runs = () => room.members().map(({ incarnation }) => incarnation);
  const join = (run) => envelope({ id: `${run}.${run}`, name: "sys.mesh.join.lobby", payload: { answer: false }, priority: "system" });
  socket.say({ type: "presence", present: [["bob", 2000]] }, join(2000));
  await tasks();
  assert.deepEqual(runs(), [2000]);
  socket.say({ type: "presence", present: [["bob", 1000]] });
  await tasks();
  assert.deepEqual(runs(), [], "the run that was in is over");
  socket.say(join(1000));
  await tasks();
  assert.deepEqual(runs(), [1000]);
});

test("what comes late of a run that has ended does not bring it back into a room, and last words are heard", async (t) => {
  const { alice, socket } = await connected(t, {}, {});
  const room = Mesh.join(alice, "lobby");
  const [seen, heard] = [[], []];
  room.onJoin(({ incarnation }) => seen.push(`join ${incarnation}`));
  room.onLeave(({ incarnation }, reason) => seen.push(`${reason} ${incarnation}`));
  room.on("words", (payload) => heard.push(payload));
  let number = 0;
  const said = (run, verb, payload) => envelope({ id: `${run}.${(number += 1)}`, name: `sys.mesh.${verb}.lobby`, payload, priority: "system" });
  const words = (run, payload) => said(run, "say", { name: "words", payload, seq: number + 1, turn: 0 });
  const join = (run) => said(run, "join", { answer: true });
  const takes = async (...frames) => {
    socket.say(...frames);
    await tasks();
    return seen.splice(0);
  };
  const presence = (members) => ({ type: "presence", ...members });
  assert.deepEqual(await takes(presence({ present: [["bob", 5]] }), join(5)), ["join 5"]);
  assert.deepEqual(await takes(presence({ absent: ["bob"] })), ["gone 5"]);
  assert.deepEqual(await takes(join(5), words(5, "bye")), [], "after the word that it is gone");
  // A mailbox is slower than the word.
  assert.deepEqual(await takes(join(5), presence({ present: [["bob", 6]] })), [], "and before");
  assert.deepEqual(await takes(join(5), said(5, "full", null)), [], "an earlier run");
  assert.deepEqual([heard, room.isFull], [["bye"], false]);
  assert.deepEqual(await takes(join(6)), ["join 6"]);
  assert.deepEqual(await takes(presence({ present: [["bob", 4]] }), join(6)), ["gone 6"], "though its clock is behind");
  assert.deepEqual(await takes(join(4)), ["join 4"]);
  assert.deepEqual(await takes(presence({ absent: ["bob"] }), presence({ all: true, partial: true })), ["gone 4"]);
  assert.deepEqual(await takes(join(4)), ["join 4"], "nobody would say that it is back");
  assert.deepEqual(room.members(), [{ id: "bob", incarnation: 4 }]);
});

test("a link that was never up gives up after five minutes", async (t) => {
  const clock = new Clock(t);
  const Socket = sockets();
  const peer = new Peer("alice", { url: "ws://host/bus", storage: null, WebSocket: Socket });
  const states = [];
  peer.onState(({ state, error }) => states.push([state, error?.code]));
  for (let waited = 0; waited < 400_000 && peer.state !== "closed"; waited += 10_000) {
    await tasks();
    if (Socket.last.readyState !== 3) Socket.last.drop();
    await clock.advance(10_000);
  }
  assert.deepEqual(states.at(-1), ["closed", "Network"]);
});
