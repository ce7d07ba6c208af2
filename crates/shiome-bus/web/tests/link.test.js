// The link of a peer, against a server of frames, in time that stands still.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Bus, Mesh, Peer } from "../shiome.js";
import { Inbox } from "./behaviours.js";
import { Clock, connected, envelope, sockets, tasks } from "./fake.js";

/** The states that a peer tells of. */
function statesOf(peer) {
  const states = [];
  peer.onState(({ state, error }) => states.push(error ? `${state} ${error.code}` : state));
  return states;
}

test("hello says who it is, and nothing else is said before welcome", async (t) => {
  const Socket = sockets();
  const alice = new Peer("alice", { url: "ws://host/bus", storage: null, token: "t", WebSocket: Socket });
  t.after(() => void alice.close(0).catch(() => {}));
  await tasks();
  const socket = Socket.last;
  assert.deepEqual([socket.url, socket.protocol], ["ws://host/bus", "shiome-bus.1"]);
  const waits = alice.send("bob", "x", 1);
  assert.throws(() => alice.trySend("bob", "x", 2), { code: "NotConnected" });
  socket.open();
  await tasks();
  assert.deepEqual(socket.frames(), [{
    type: "hello",
    version: 1,
    id: "alice",
    incarnation: alice.incarnation,
    token: "t",
    encodings: ["json"],
    max_message: 1052672,
    heartbeat_ms: 15000,
  }]);
  socket.say({ type: "welcome", version: 1, id: "relay", incarnation: 1, reclaim: "r" });
  await tasks();
  assert.deepEqual([alice.state, socket.frames()], ["connecting", []], "who is there is not known yet");
  socket.say({ type: "presence", all: true, present: [["bob", 1]] });
  assert.equal((await waits).via, "websocket");
  await tasks();
  assert.deepEqual(socket.frames().map(({ type, to, payload }) => [type, to, payload]), [["envelope", "bob", 1]]);
});

test("what waits goes out in few messages, and not in long ones", async (t) => {
  const { alice, socket } = await connected(t);
  for (let n = 0; n < 3000; n += 1) alice.trySend("bob", "x", n);
  assert.equal(socket.sent.length, 0, "the rest of the task may add to it");
  await tasks();
  assert.ok(socket.sent.length < 20, `${socket.sent.length} messages`);
  assert.ok(socket.sent.every((text) => text.length <= 32 * 1024 && JSON.parse(text).length <= 1024));
  assert.deepEqual(socket.frames("envelope").map(({ payload }) => payload), Array.from({ length: 3000 }, (_, n) => n));
  alice.trySend("bob", "x", "short");
  alice.trySend("bob", "x", "l".repeat(100_000));
  alice.trySend("bob", "x", "short");
  await tasks();
  assert.deepEqual(socket.sent.map((text) => JSON.parse(text).length), [1, 1, 1]);
});

test("the queue of a link has an end, and acknowledgements make room", async (t) => {
  const { alice, socket } = await connected(t, { queueFrames: 3 });
  [1, 2, 3].forEach((n) => alice.trySend("bob", "x", n));
  assert.throws(() => alice.trySend("bob", "x", 4), { code: "QueueFull" });
  const fourth = alice.send("bob", "x", 4);
  const fifth = alice.send("bob", "x", 5, { timeoutMs: 5 });
  await assert.rejects(fifth, { code: "QueueFull" });
  await tasks();
  assert.equal(socket.frames("envelope").length, 3, "sent, and still counted");
  socket.say({ type: "ack", received: 1 });
  await fourth;
  await tasks();
  assert.deepEqual(socket.frames("envelope").map(({ payload }) => payload), [4]);
  socket.say({ type: "ack", received: 1 }, { type: "ack", received: 0 });
  assert.throws(() => alice.trySend("bob", "x", 6), { code: "QueueFull" }, "old news");
  assert.equal(alice.state, "up");
  socket.say({ type: "ack", received: 5 });
  assert.deepEqual([socket.closed, alice.state], [4105, "connecting"], "more than was sent");
});

test("what was accepted and then lost is counted as the relay says", async (t) => {
  const { alice, socket } = await connected(t);
  const told = [];
  alice.bus.onDrop((dropped) => told.push(dropped));
  const { id } = alice.trySend("bob", "chat.line", 1);
  const nack = { to: "alice", from: "bob", name: "sys.nack", priority: "system" };
  const payload = { error: "queue_full", reason: "full", name: "chat.line" };
  socket.say(envelope({ ...nack, payload, reply_to: id }));
  socket.say(envelope({ ...nack, payload, reply_to: "1.1" }), envelope({ ...nack, payload: { error: "queue_full" }, reply_to: id }));
  const [lost] = told;
  assert.deepEqual([told.length, lost.reason, lost.id, lost.from, lost.to, lost.name], [1, "queue_full", id, "alice", "bob", "chat.line"]);
  assert.deepEqual([alice.bus.dropped("queue_full"), alice.bus.dropped("late_reply")], [1, 2], "of others, and of nothing");
});

test("a snapshot of several frames is one", async (t) => {
  const { alice, socket } = await connected(t);
  const seen = [];
  alice.onPeer(({ type, id }) => seen.push([type, id]));
  socket.say({ type: "presence", all: true, present: [["bob", 1], ["carol", 1]] });
  socket.say({ type: "presence", all: true, more: true, present: [["carol", 1]] });
  assert.ok(alice.reachable("bob"), "not before all is told");
  socket.say({ type: "presence", more: true, present: [["dave", 1]] }, { type: "presence", present: [["bob", 1]] });
  assert.deepEqual(seen.filter(([, id]) => id !== "carol" && id !== "bob"), [["up", "dave"]]);
  assert.deepEqual(seen.filter(([type]) => type === "down"), []);
  assert.ok(["bob", "carol", "dave"].every((id) => alice.reachable(id)));
});

test("greetings of rooms take no places of who is in none", async (t) => {
  const { alice, socket } = await connected(t);
  const room = Mesh.join(alice, "lobby");
  socket.say({ type: "presence", present: [["bob", 1]] });
  await tasks();
  const [greeting] = socket.frames("envelope");
  assert.deepEqual([greeting.name, greeting.priority, greeting.payload], ["sys.mesh.join.lobby", "system", { answer: true, seq: 1 }]);
  const join = (name) => envelope({ from: "bob", name: `sys.mesh.join.${name}`, payload: { answer: false }, priority: "system" });
  socket.say(...Array.from({ length: 1000 }, () => join("attic")), join("lobby"));
  await tasks();
  assert.deepEqual([alice.bus.dropped(), room.members().map(({ id }) => id)], [0, ["bob"]]);
});

test("bytes fill the queue, too, and one message always finds room", async (t) => {
  const { alice } = await connected(t, { queueBytes: 1000 });
  alice.trySend("bob", "x", "x".repeat(5000));
  assert.throws(() => alice.trySend("bob", "x", 1), { code: "QueueFull" });
});

test("few envelopes are acknowledged later, and many at once", async (t) => {
  const clock = new Clock(t);
  const { alice, socket } = await connected(t);
  new Inbox(alice, "x");
  socket.say(envelope(), envelope());
  await clock.advance(99);
  assert.deepEqual(socket.frames("ack"), []);
  await clock.advance(1);
  assert.deepEqual(socket.frames("ack"), [{ type: "ack", received: 2 }]);
  socket.say(...Array.from({ length: 512 }, () => envelope()));
  await tasks();
  assert.deepEqual(socket.frames("ack"), [{ type: "ack", received: 514 }]);
  socket.say(envelope({ payload: "x".repeat(128 * 1024) }));
  await tasks();
  assert.deepEqual(socket.frames("ack"), [{ type: "ack", received: 515 }]);
  socket.say(envelope());
  alice.trySend("bob", "x");
  await tasks();
  assert.deepEqual(socket.frames().map(({ type }) => type), ["ack", "envelope"], "rides along");
  await clock.advance(1000);
  assert.deepEqual(socket.frames("ack"), [], "said before");
});

test("what a full mailbox keeps waiting is not acknowledged", async (t) => {
  const clock = new Clock(t);
  const { alice, socket } = await connected(t, { capacity: 1 });
  let release;
  alice.once("x", () => new Promise((free) => (release = free)));
  const inbox = new Inbox(alice, "x");
  const sent = [1, 2, 3, 4].map((payload) => envelope({ payload }));
  socket.say(sent[0]);
  await tasks();
  socket.say(...sent.slice(1));
  await clock.advance(100);
  assert.deepEqual(socket.frames("ack"), [{ type: "ack", received: 2 }], "one runs, one waits, two found no room");
  release();
  assert.deepEqual(await inbox.payloads(4), [1, 2, 3, 4]);
  await clock.advance(100);
  assert.deepEqual(socket.frames("ack").at(-1), { type: "ack", received: 4 });
});

test("what had to wait while the page stood still is not dropped, and what no handler makes room for is", async (t) => {
  const clock = new Clock(t);
  const { alice, socket } = await connected(t, { capacity: 1 });
  const releases = [];
  alice.on("x", () => new Promise((free) => releases.push(free)));
  socket.say(envelope({ payload: 1 }));
  await tasks();
  socket.say(envelope({ payload: 2 }), envelope({ payload: 3 }));
  await clock.advance(999);
  // The handler is done when the time is over, and nobody has had a turn since.
  releases[0]();
  await clock.advance(1);
  assert.deepEqual([releases.length, alice.bus.dropped()], [2, 0]);
  socket.say(envelope({ payload: 4 }));
  await clock.advance(999);
  assert.equal(alice.bus.dropped(), 0);
  await clock.advance(1);
  assert.deepEqual(alice.bus.drops().map(({ reason }) => reason), ["queue_full"]);
  releases.splice(0).forEach((release) => release());
});

test("a session that goes on sends what the server has not had, and says what has come", async (t) => {
  const clock = new Clock(t);
  const { alice, Socket, socket } = await connected(t);
  const inbox = new Inbox(alice, "x");
  socket.say(envelope({ payload: 1 }), envelope({ payload: 2 }));
  [1, 2, 3].forEach((n) => alice.trySend("bob", "n", n));
  await tasks();
  const sent = socket.frames("envelope");
  socket.say({ type: "ack", received: 1 });
  alice.trySend("bob", "n", 4);
  socket.drop();
  await clock.advance(250);
  assert.notEqual(Socket.last, socket);
  const hello = await Socket.last.welcome({ resumed: true, received: 2 });
  assert.deepEqual([hello.received, hello.reclaim, hello.incarnation], [2, "secret", alice.incarnation]);
  const again = Socket.last.frames("envelope");
  assert.deepEqual(again.map(({ payload }) => payload), [3, 4]);
  assert.equal(again[0].id, sent[2].id);
  Socket.last.say({ type: "ack", received: 4 });
  assert.equal(alice.stats.unacknowledged, 0);
  Socket.last.say(envelope({ payload: 3 }));
  assert.deepEqual(await inbox.payloads(3), [1, 2, 3]);
});

test("a new session sends all that was not acknowledged, and counts from 1", async (t) => {
  const clock = new Clock(t);
  const { alice, Socket, socket } = await connected(t);
  [1, 2, 3].forEach((n) => alice.trySend("bob", "n", n));
  alice.trySend("bob", "n", "l".repeat(6000));
  await tasks();
  const sent = socket.frames("envelope");
  socket.say({ type: "ack", received: 1 }, envelope());
  socket.drop();
  await clock.advance(250);
  const dropped = [];
  alice.onDrop(({ reason, name }) => dropped.push([reason, name]));
  await Socket.last.welcome({ max_message: 4096 });
  const again = Socket.last.frames("envelope");
  assert.deepEqual(again.map(({ id }) => id), [sent[1].id, sent[2].id]);
  assert.deepEqual(dropped, [["payload_too_large", "n"]], "longer than this server takes");
  Socket.last.say({ type: "ack", received: 2 });
  assert.equal(alice.stats.unacknowledged, 0);
  Socket.last.say(envelope());
  await clock.advance(100);
  assert.deepEqual(Socket.last.frames("ack"), [{ type: "ack", received: 1 }]);
});

test("what comes twice is handled once, in each lane", async (t) => {
  const { alice, socket } = await connected(t);
  const inbox = new Inbox(alice, "x");
  const [first, second] = [envelope({ id: "7.1", payload: 1 }), envelope({ id: "7.2", payload: 2 })];
  const bulk = envelope({ id: "7.3", payload: 3, priority: "bulk" });
  const late = envelope({ id: "7.2000", payload: 4 });
  socket.say(first, first, second, bulk, late, bulk, second, envelope({ id: "8.1", payload: 5 }));
  assert.deepEqual((await inbox.payloads(5)).sort(), [1, 2, 3, 4, 5]);
  assert.equal(alice.bus.dropped("duplicate"), 3);
});

test("an envelope of a peer of the same bus is no word of that peer", async (t) => {
  const { alice, socket } = await connected(t);
  const inbox = new Inbox(alice, "x");
  alice.bus.peer("sibling");
  socket.say(envelope({ from: "sibling", payload: "forged" }), envelope({ from: "alice", payload: "forged" }), envelope({ payload: "true" }));
  assert.deepEqual(await inbox.payloads(1), ["true"]);
  assert.equal(alice.bus.dropped("echo"), 2);
});

test("what is for nobody here is dropped, never sent on, and told to who waits", async (t) => {
  const { alice, socket } = await connected(t);
  socket.say(envelope({ to: "nobody" }), envelope({ to: "nobody", level: "received", id: "9.1" }));
  await tasks();
  const [receipt, ...more] = socket.frames("envelope");
  assert.deepEqual([receipt.name, receipt.payload.error, receipt.from, receipt.to, receipt.reply_to, receipt.priority],
    ["sys.nack", "node_not_found", "nobody", "bob", "9.1", "system"]);
  assert.deepEqual(more, []);
  assert.deepEqual(alice.bus.drops().map(({ reason }) => reason), ["node_not_found", "node_not_found"]);
});

test("receipts are believed of the peer that was asked, and over its link", async (t) => {
  const { alice, socket } = await connected(t, {}, {});
  socket.say({ type: "presence", present: [["carol", 1]] });
  const waits = alice.send("bob", "x", 1, { level: "handled" });
  await tasks();
  const [{ id }] = socket.frames("envelope");
  const receipt = (more) => envelope({ name: "sys.ack", payload: "handled", reply_to: id, priority: "system", ...more });
  socket.say(receipt({ from: "carol" }), receipt({ payload: "received" }), receipt({ name: "answer" }));
  await tasks();
  assert.equal(alice.stats.pending, 1);
  socket.say(receipt());
  await waits;
  assert.equal(alice.bus.dropped("late_reply"), 2);
});

test("every error of a receipt has its code", async (t) => {
  const { alice, socket } = await connected(t);
  const codes = {
    no_handler: "NoHandler",
    handler_failed: "HandlerFailed",
    node_not_found: "NodeNotFound",
    queue_full: "QueueFull",
    payload_too_large: "PayloadTooLarge",
    too_many_hops: "TooManyHops",
    unauthorized: "Unauthorized",
    not_connected: "NotConnected",
    closed: "Closed",
    serialization: "Serialization",
    refused: "Refused",
    of_the_future: "Network",
  };
  for (const [error, code] of Object.entries(codes)) {
    const waits = alice.send("bob", "x", 1, { level: "handled" });
    await tasks();
    const [{ id }] = socket.frames("envelope");
    socket.say(envelope({ name: "sys.nack", payload: { error, reason: "so" }, reply_to: id, priority: "system" }));
    await assert.rejects(waits, { code, name: "BusError" });
  }
  for (const payload of [null, 7, { error: 7 }, {}]) {
    const waits = alice.send("bob", "x", 1, { level: "handled" });
    await tasks();
    const [{ id }] = socket.frames("envelope");
    socket.say(envelope({ name: "sys.nack", payload, reply_to: id }));
    await assert.rejects(waits, { code: "Network" });
  }
});

test("presence says who comes and goes, also in a snapshot, and ends waits", async (t) => {
  const { alice, socket } = await connected(t);
  const seen = [];
  alice.onPeer(({ type, id, incarnation }) => seen.push(`${type} ${id} ${incarnation}`));
  socket.say({ type: "presence", present: [["carol", 1]], absent: ["bob"] });
  const waits = [alice.request("carol", "x"), alice.request("carol", "y")];
  await tasks();
  socket.say({ type: "presence", present: [["carol", 2]] });
  await tasks();
  assert.equal(alice.stats.pending, 2, "it may be the later run that was asked");
  socket.say({ type: "presence", absent: ["carol"] });
  for (const one of waits) await assert.rejects(one, { code: "Closed", peer: "carol" });
  socket.say({ type: "presence", all: true, present: [["carol", 2]] }, { type: "presence", present: [["dave", 1]] });
  assert.deepEqual(seen, ["down bob 1", "up carol 1", "down carol 1", "up carol 2", "down carol 2", "up carol 2", "up dave 1"]);
  assert.deepEqual(alice.peers(), ["carol", "dave"]);
  await assert.rejects(alice.send("bob", "x"), { code: "NodeNotFound" });
  socket.say({ type: "presence", all: true, partial: true });
  assert.deepEqual(alice.peers(), ["carol", "dave"], "nobody is gone for not being told of any longer");
  alice.trySend("bob", "x");
});

test("who speaks is there, in the run that speaks, before the server tells of it", async (t) => {
  const { alice, socket } = await connected(t);
  const seen = [];
  alice.onPeer(({ type, id, incarnation }) => seen.push(`${type} ${id} ${incarnation}`));
  socket.say(envelope({ from: "carol", id: "5.1" }), envelope({ id: "1.900000" }), envelope({ id: "7.1" }));
  assert.deepEqual(seen.splice(0), ["up carol 5", "down bob 1", "up bob 7"]);
  socket.say({ type: "presence", present: [["carol", 5], ["bob", 7]] }, envelope({ id: "1.900001" }));
  assert.deepEqual([seen, alice.peers()], [[], ["bob", "carol"]]);
  const waits = alice.send("dave", "x", 1, { level: "received" });
  await assert.rejects(waits, { code: "NodeNotFound" });
  socket.say({ type: "presence", all: true, partial: true });
  const late = alice.send("dave", "x", 1, { level: "received" });
  await tasks();
  const { id } = socket.frames("envelope").at(-1);
  socket.say(envelope({ from: "dave", id: "1.900002", name: "sys.nack", payload: { error: "node_not_found" }, reply_to: id }));
  await assert.rejects(late, { code: "NodeNotFound" });
  assert.equal(alice.reachable("dave"), false, "a receipt may come from another in its place");
});

test("what comes late of a run that has ended does not bring it back", async (t) => {
  const { alice, socket } = await connected(t);
  const [seen, got] = [[], []];
  alice.onPeer(({ type, id, incarnation }) => seen.push(`${type} ${id} ${incarnation}`));
  alice.on("late", ({ payload }) => got.push(payload));
  const late = (id, payload) => envelope({ from: "carol", id, name: "late", payload });
  socket.say({ type: "presence", present: [["carol", 5]] });
  socket.say({ type: "presence", absent: ["carol"] });
  socket.say(late("5.1", 1));
  assert.deepEqual([seen.splice(0), alice.reachable("carol")], [["up carol 5", "down carol 5"], false]);
  socket.say({ type: "presence", present: [["carol", 6]] }, late("5.2", 2));
  assert.deepEqual(seen.splice(0), ["up carol 6"]);
  socket.say({ type: "presence", absent: ["carol"] });
  socket.say(late("7.1", 3));
  assert.deepEqual(seen.splice(0), ["down carol 6", "up carol 7"], "a later run has begun");
  socket.say({ type: "presence", absent: ["carol"] });
  socket.say({ type: "presence", present: [["carol", 7]] });
  assert.deepEqual(seen.splice(0), ["down carol 7", "up carol 7"], "the server says so");
  socket.say({ type: "presence", absent: ["carol"] });
  socket.say({ type: "presence", all: true, partial: true });
  socket.say(late("7.2", 4));
  assert.deepEqual([seen, alice.reachable("carol")], [["down carol 7", "up carol 7"], true], "who else would say so");
  await tasks();
  assert.deepEqual(got, [1, 2, 3, 4], "what was said is heard all the same");
});

test("a link that is lost reaches nobody, until it is up again", async (t) => {
  const clock = new Clock(t);
  const { alice, Socket, socket } = await connected(t);
  const seen = [];
  alice.onPeer(({ type, id }) => seen.push(`${type} ${id}`));
  socket.say(envelope({ from: "unknown" }));
  assert.equal(alice.reachable("unknown"), true);
  socket.drop();
  assert.deepEqual([alice.reachable("bob"), alice.reachable("unknown"), alice.peers()], [false, false, []]);
  await clock.advance(250);
  await Socket.last.welcome({ resumed: true });
  assert.deepEqual([alice.reachable("bob"), alice.reachable("unknown")], [true, false]);
  assert.deepEqual(seen, ["up unknown", "down bob", "down unknown", "up bob"]);
});

test("silence is answered with a ping, and then with another connection", async (t) => {
  const clock = new Clock(t);
  const { alice, Socket, socket } = await connected(t, {}, { heartbeat_ms: 1000 });
  const states = statesOf(alice);
  await clock.advance(999);
  assert.deepEqual(socket.frames("ping"), []);
  await clock.advance(1);
  assert.deepEqual(socket.frames("ping"), [{ type: "ping", nonce: 1 }]);
  await clock.advance(40);
  socket.say({ type: "pong", nonce: 1 });
  assert.equal(alice.roundTripMs, 40);
  await clock.advance(1000);
  assert.deepEqual(socket.frames("ping"), [{ type: "ping", nonce: 2 }]);
  await clock.advance(999);
  assert.deepEqual(states, []);
  await clock.advance(1);
  assert.deepEqual([states, socket.closed], [["connecting Network"], 4107]);
  socket.drop(4107);
  assert.equal(states.length, 1, "nothing is heard of it any longer");
  await clock.advance(250);
  assert.notEqual(Socket.last, socket);
});

test("after a sleep the server has a chance to answer", async (t) => {
  const clock = new Clock(t);
  const { alice, socket } = await connected(t, {}, { heartbeat_ms: 1000 });
  clock.sleep(60_000);
  await clock.advance(1);
  assert.deepEqual([socket.frames("ping").length, alice.state], [1, "up"]);
  socket.say({ type: "pong", nonce: 1 });
  await clock.advance(999);
  assert.equal(alice.state, "up");
});

test("pings are answered in the task in which they come", async (t) => {
  const { socket } = await connected(t);
  socket.say({ type: "ping", nonce: 7 }, { type: "ping", nonce: 8 });
  assert.deepEqual(socket.frames(), [{ type: "pong", nonce: 8 }]);
});

test("waits grow, are spread, and begin anew after a link that lasted", async (t) => {
  const clock = new Clock(t);
  t.mock.method(Math, "random", () => 0.999);
  const { alice, Socket, socket } = await connected(t);
  const waits = [];
  alice.onState(({ retryInMs }) => retryInMs !== undefined && waits.push(Math.round(retryInMs)));
  socket.drop();
  for (let n = 0; n < 9; n += 1) {
    await clock.advance(waits.at(-1) + 1);
    Socket.last.drop();
  }
  assert.deepEqual(waits, [250, 500, 999, 1998, 3996, 7992, 15984, 29970, 29970, 29970]);
  await clock.advance(30_000);
  await Socket.last.welcome();
  await clock.advance(20_000);
  Socket.last.say();
  await clock.advance(20_000);
  waits.length = 0;
  Socket.last.drop();
  assert.deepEqual(waits, [250]);
});

test("who gives up says so, and what was not sent is told of", async (t) => {
  const clock = new Clock(t);
  const { alice, Socket, socket } = await connected(t, { giveUpMs: 5000 });
  const states = statesOf(alice);
  const dropped = [];
  alice.onDrop(({ reason }) => dropped.push(reason));
  alice.trySend("bob", "x");
  socket.drop();
  for (let n = 0; n < 100 && alice.state !== "closed"; n += 1) {
    await clock.advance(1000);
    if (alice.state !== "closed") Socket.last.drop();
  }
  assert.deepEqual([states.at(-1), dropped], ["closed Network", ["not_connected"]]);
  await assert.rejects(alice.connected(), { code: "Network" });
  assert.deepEqual(clock.due, [], "nothing is left to happen");
});

test("every end of a connection means what it should", async (t) => {
  const clock = new Clock(t);
  const ends = {
    1000: "closed Closed",
    4100: "closed NameTaken",
    4101: "closed Unauthorized",
    4102: "closed Network",
    4103: "closed Network",
    4104: "closed NameTaken",
    4106: "closed NameTaken",
    4108: "closed Unauthorized",
  };
  for (const code of [1001, 1002, 1006, 1007, 1009, 1011, 1012, 4105, 4107, 4109, 4999]) ends[code] = "connecting Network";
  for (const [code, state] of Object.entries(ends)) {
    const { alice, socket } = await connected(t);
    const states = statesOf(alice);
    socket.drop(Number(code));
    assert.deepEqual(states, [state], code);
    await alice.close(0);
  }
  const { alice, Socket, socket } = await connected(t);
  const states = statesOf(alice);
  socket.say({ type: "goodbye", reason: "going-away", detail: "restarts" });
  assert.deepEqual([states, socket.frames("goodbye")], [["connecting Network"], []], "a goodbye is not answered");
  await clock.advance(250);
  await Socket.last.welcome();
  Socket.last.say({ type: "goodbye", reason: "replaced" });
  assert.deepEqual(states, ["connecting Network", "up", "closed NameTaken"]);
});

test("refusals are final, unless the server says when to come again", async (t) => {
  const clock = new Clock(t);
  for (const [reason, code] of [["unauthorized", "Unauthorized"], ["stale", "NameTaken"], ["limit", "Network"], ["unsupported-version", "Network"]]) {
    const Socket = sockets();
    const alice = new Peer("alice", { url: "ws://host/bus", storage: null, WebSocket: Socket });
    await tasks();
    Socket.last.open();
    Socket.last.say({ type: "refused", reason, detail: "so it is" });
    await assert.rejects(alice.connected(), { code });
    assert.equal(Socket.last.closed >= 4101, true);
    await alice.close(0);
  }
  const Socket = sockets();
  const alice = new Peer("alice", { url: "ws://host/bus", storage: null, WebSocket: Socket });
  await tasks();
  Socket.last.open();
  Socket.last.say({ type: "refused", reason: "name-taken", retry_ms: 4000 });
  await clock.advance(3999);
  assert.equal(Socket.all.length, 1);
  await clock.advance(251);
  assert.equal(Socket.all.length, 2);
  Socket.last.open();
  Socket.last.say({ type: "refused", reason: "name-taken", retry_ms: 4000 });
  await assert.rejects(alice.connected(), { code: "NameTaken" });
});

test("a server that says no welcome is left", async (t) => {
  const clock = new Clock(t);
  const Socket = sockets();
  const alice = new Peer("alice", { url: "ws://host/bus", storage: null, WebSocket: Socket });
  t.after(() => void alice.close(0).catch(() => {}));
  await tasks();
  Socket.last.open();
  await clock.advance(15_000);
  assert.equal(Socket.all[0].closed, 4107);
  await clock.advance(250);
  Socket.last.open();
  Socket.last.say({ type: "ping", nonce: 1 });
  assert.equal(Socket.all[1].closed, 4105, "something else");
  await clock.advance(500);
  Socket.last.open();
  Socket.last.say({ type: "welcome", version: 2, id: "relay", incarnation: 1, reclaim: "r" });
  await assert.rejects(alice.connected(), { code: "Network" });
});

test("what is malformed ends the connection, and none of its message takes effect", async (t) => {
  const clock = new Clock(t);
  const good = JSON.stringify(envelope());
  const messages = ["", "{}", "[1]", `[${good},{"type":"ping"}]`, `[${good},`, new ArrayBuffer(2), `[${good},{"type":"hello","version":1}]`];
  for (const [at, message] of messages.entries()) {
    const { alice, Socket, socket } = await connected(t);
    const inbox = new Inbox(alice, ">");
    socket.raw(message);
    await tasks();
    assert.deepEqual([socket.closed, socket.frames("goodbye").map(({ reason }) => reason)], [4105, ["malformed"]], String(message));
    assert.equal(alice.bus.dropped("malformed"), 1);
    // A frame that is known and has no place here is found when it is its turn.
    assert.equal(inbox.deliveries.length, at === messages.length - 1 ? 1 : 0);
    await clock.advance(250);
    assert.equal(Socket.all.length, 2);
    await alice.close(0);
  }
});

test("the network that is back is used at once", async (t) => {
  const clock = new Clock(t);
  t.mock.method(Math, "random", () => 0.999);
  const listeners = new Map();
  globalThis.addEventListener = (type, listener) => listeners.set(type, listener);
  globalThis.removeEventListener = (type) => listeners.delete(type);
  t.after(() => {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  });
  const { alice, Socket, socket } = await connected(t);
  socket.drop();
  listeners.get("online")();
  await tasks();
  assert.equal(Socket.all.length, 2);
  listeners.get("online")();
  await clock.advance(250);
  assert.equal(Socket.all.length, 2, "there is one");
  await alice.close(0);
  assert.equal(listeners.size, 0);
});

test("a peer that closes has all acknowledged, and says goodbye last", async (t) => {
  const { alice, socket } = await connected(t);
  alice.trySend("bob", "x", 1);
  const states = statesOf(alice);
  const closed = alice.close();
  await tasks();
  assert.deepEqual(socket.frames().map(({ type }) => type), ["ping", "envelope"], "what answers the ping acknowledges");
  socket.say({ type: "ack", received: 1 }, { type: "pong", nonce: 0 });
  await closed;
  assert.deepEqual([socket.frames(), socket.closed, states], [[{ type: "goodbye", reason: "closed" }], 1000, ["closing", "closed Closed"]]);
});

test("a peer that closes without an acknowledgement says that it does not know", async (t) => {
  const { alice, socket } = await connected(t);
  alice.trySend("bob", "x", 1);
  await assert.rejects(alice.close(20), { code: "Timeout" });
  assert.equal(alice.bus.dropped("not_connected"), 1);
  assert.equal(socket.closed, 1000);
});

test("where nothing can be stored, peers work all the same", async (t) => {
  const refuses = () => {
    throw new Error("not allowed");
  };
  const storage = { getItem: refuses, setItem: refuses, removeItem: refuses };
  const { alice } = await connected(t, { storage });
  assert.equal(alice.state, "up");
});

test("addresses are of the page's host when they are relative", async (t) => {
  globalThis.location = { href: "https://example.org/chat/index.html#top" };
  t.after(() => delete globalThis.location);
  const Socket = sockets();
  const bus = new Bus();
  for (const [url, address] of [["/bus", "wss://example.org/bus"], ["http://a/b#c", "ws://a/b"], [new URL("ws://a/b"), "ws://a/b"]]) {
    const peer = bus.peer("alice", { url, storage: null, WebSocket: Socket });
    await tasks();
    assert.equal(Socket.last.url, address);
    await peer.close(0);
  }
  assert.throws(() => bus.peer("alice", { url: "ws://a:b:c", WebSocket: Socket }), TypeError);
  if (!globalThis.WebSocket) assert.throws(() => bus.peer("alice", { url: "/bus" }), TypeError);
  assert.deepEqual(bus.peers(), [], "nothing is left of what could not be");
});
