// Peers in Node, and a relay and a peer in Rust.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Mesh, Peer } from "../shiome.js";
import { BEHAVIOURS, Inbox, until } from "./behaviours.js";
import { Proxy, Relay, TESTBED } from "./relay.js";
import { WebSocket } from "./socket.js";
import { onOneBus, throughServer } from "./worlds.js";

const skip = TESTBED ? false : "SHIOME_WEB_TESTBED names no program";
const fast = { firstRetryMs: 5, longestRetryMs: 50 };

/** A relay, a proxy to it, and peers that end with the test. */
async function stage(t, settings = {}) {
  const relay = await Relay.start(settings);
  const proxy = await Proxy.start(relay.port);
  const made = [];
  t.after(async () => {
    await Promise.all(made.map((peer) => peer.close(0).catch(() => {})));
    await proxy.stop();
    await relay.kill();
  });
  const open = (id, options = {}) => {
    const peer = new Peer(id, { url: relay.url, storage: null, WebSocket, ...fast, ...options });
    made.push(peer);
    return peer;
  };
  const connect = async (id, options) => {
    const peer = open(id, options);
    await peer.connected();
    return peer;
  };
  return { relay, proxy, open, connect };
}

const state = (peer, wanted) => until((check) => peer.onState(check), () => peer.state === wanted);
const present = (peer, id) => until((check) => peer.onPeer(check), () => peer.reachable(id));
const absent = (peer, id) => until((check) => peer.onPeer(check), () => !peer.reachable(id));

test("every behaviour is the same through a relay as on one bus", { skip }, async (t) => {
  let relay;
  before(async () => (relay = await Relay.start()));
  after(() => relay.kill());
  for (const [name, behaviour] of Object.entries(BEHAVIOURS)) {
    await t.test(name, async () => {
      const through = await throughServer(relay.url, behaviour, { WebSocket });
      assert.deepEqual(through, await onOneBus(behaviour));
    });
  }
});

test("a peer in Rust and one in JavaScript understand each other", { skip }, async (t) => {
  const { connect } = await stage(t);
  const alice = await connect("alice");
  await alice.waitFor("rust");
  const payload = { text: "héllo 🎈", list: [1, -2.5, null, { deep: [] }] };
  const answer = await alice.request("rust", "echo", payload);
  assert.deepEqual([answer.payload, answer.from, answer.via], [payload, "rust", "websocket"]);
  assert.ok((await alice.ping("rust")) > 0);

  const inbox = new Inbox(alice, "flood");
  await alice.request("rust", "flood", { to: "alice", name: "flood", count: 5000 });
  assert.deepEqual(await inbox.payloads(5000), Array.from({ length: 5000 }, (_, n) => n));

  alice.on("question", (asked) => asked.respond({ twice: asked.payload * 2 }));
  alice.onError(() => {});
  alice.on("broken", () => {
    throw new Error("of alice");
  });
  const ask = async (verb, to, name) => (await alice.request("rust", verb, { to, name, payload: 4 })).payload;
  assert.deepEqual(await ask("ask", "alice", "question"), { ok: { twice: 8 } });
  assert.deepEqual(await ask("ask", "alice", "unknown"), { error: "no_handler" });
  assert.deepEqual(await ask("ask", "nobody", "question"), { error: "node_not_found" });
  assert.deepEqual(await ask("tell", "alice", "flood"), { ok: null });
  assert.deepEqual(await ask("tell", "alice", "broken"), { error: "handler_failed" });

  const code = (name, options) => alice.send("rust", name, 1, options).then(() => "no error", (error) => error.code);
  assert.equal(await code("echo", { level: "handled" }), "no error");
  assert.equal(await code("fail", { level: "handled" }), "HandlerFailed");
  assert.equal(await code("nothing", { level: "handled" }), "NoHandler");
  assert.equal(await code("nothing", { level: "received" }), "no error");
  await assert.rejects(alice.request("rust", "silent", 1, { timeoutMs: 30 }), { code: "Timeout" });
});

test("a burst arrives whole and in order, from JavaScript and from Rust", { skip }, async (t) => {
  const { relay, connect } = await stage(t);
  const [alice, bob] = [await connect("alice"), await connect("bob")];
  await Promise.all([present(alice, "bob"), alice.waitFor("rust")]);
  const numbers = Array.from({ length: 10_000 }, (_, n) => n);
  const inboxes = ["mine", "theirs"].map((name) => new Inbox(bob, name));
  const flood = alice.request("rust", "flood", { to: "bob", name: "theirs", count: numbers.length }, { timeoutMs: 60_000 });
  for (const n of numbers) await alice.send("bob", "mine", n, { timeoutMs: 60_000 });
  for (const inbox of inboxes) assert.deepEqual(await inbox.payloads(numbers.length), numbers);
  await flood;
  assert.deepEqual([alice.bus.dropped(), bob.bus.dropped()], [0, 0]);
  assert.ok(relay.url);
});

test("Rust and JavaScript are members of one room", { skip }, async (t) => {
  const { connect } = await stage(t);
  const [alice, bob] = [await connect("alice"), await connect("bob")];
  const rooms = [Mesh.join(alice, "lobby"), Mesh.join(bob, "lobby")];
  await Promise.all([rooms[0].waitFor("rust"), rooms[0].waitFor("bob"), rooms[1].waitFor("rust"), rooms[1].waitFor("alice")]);
  const members = async () => (await alice.request("rust", "members")).payload;
  // Behind what bob has said.
  await bob.request("rust", "echo");
  assert.deepEqual(await members(), ["alice", "bob"]);
  const heard = rooms.map((room) => new Promise((hear) => room.on("shouted", (payload, from) => hear([from, payload]))));
  const report = await rooms[0].send("shout", "hello");
  assert.deepEqual(report.members.map(({ id }) => id), ["bob", "rust"]);
  assert.deepEqual(await Promise.all(heard), [["rust", "HELLO"], ["rust", "HELLO"]]);
  const left = new Promise((hear) => rooms[0].onLeave(({ id }, reason) => hear([id, reason])));
  rooms[1].leave();
  assert.deepEqual(await left, ["bob", "left"]);
  await bob.request("rust", "echo");
  assert.deepEqual(await members(), ["alice"]);
});

test("what was sent before a connection broke arrives, once and in order", { skip }, async (t) => {
  const { proxy, connect } = await stage(t);
  const [alice, bob] = [await connect("alice", { url: proxy.url }), await connect("bob")];
  await Promise.all([present(alice, "bob"), present(bob, "alice")]);
  const inbox = new Inbox(bob, "n");
  const states = [];
  alice.onState((change) => states.push(change.state));
  let n = 0;
  for (let round = 0; round < 5; round += 1) {
    for (let count = 0; count < 300; count += 1) alice.trySend("bob", "n", (n += 1));
    // In the middle of what was just handed to the socket.
    await new Promise(setImmediate);
    proxy.cut();
    await state(alice, "connecting");
    assert.throws(() => alice.trySend("bob", "n", 0), { code: "NotConnected" });
    await assert.rejects(alice.send("bob", "n", 0), { code: "NotConnected" });
    await state(alice, "up");
    await present(alice, "bob");
  }
  assert.deepEqual(await inbox.payloads(n), Array.from({ length: n }, (_, at) => at + 1));
  assert.equal(inbox.deliveries.length, n);
  assert.ok(states.filter((one) => one === "connecting").length >= 5);
  assert.equal(bob.bus.dropped("duplicate"), 0, "a session that goes on sends nothing twice");
});

test("what came while a connection was broken arrives, once and in order", { skip }, async (t) => {
  const { proxy, connect } = await stage(t);
  const [alice, bob] = [await connect("alice"), await connect("bob", { url: proxy.url })];
  await Promise.all([present(alice, "bob"), present(bob, "alice")]);
  const inbox = new Inbox(bob, "n");
  let n = 0;
  const say = (count) => Promise.all(Array.from({ length: count }, () => alice.send("bob", "n", (n += 1))));
  await say(500);
  proxy.refuse(true);
  proxy.cut();
  await state(bob, "connecting");
  await say(500);
  proxy.refuse(false);
  await state(bob, "up");
  await say(100);
  assert.deepEqual(await inbox.payloads(n), Array.from({ length: n }, (_, at) => at + 1));
});

test("who waits when the link breaks is told at once", { skip }, async (t) => {
  const { proxy, connect } = await stage(t);
  const alice = await connect("alice", { url: proxy.url });
  await present(alice, "rust");
  const waits = [alice.request("rust", "silent", 1, { timeoutMs: 60_000 })];
  await alice.request("rust", "echo");
  proxy.cut();
  await assert.rejects(waits[0], { code: "NotConnected" });
  await state(alice, "up");
  await alice.waitFor("rust");
  assert.equal((await alice.request("rust", "echo", 1)).payload, 1);
});

test("a relay that was started anew is found again, and what it had not acknowledged is sent again", { skip }, async (t) => {
  const { proxy, relay, connect } = await stage(t);
  const [alice, bob] = [await connect("alice", { url: proxy.url }), await connect("bob", { url: proxy.url })];
  await present(alice, "bob");
  const inbox = new Inbox(bob, "n");
  await alice.send("bob", "n", 1);
  await inbox.payloads(1);
  const lost = Promise.all([state(alice, "connecting"), state(bob, "connecting")]);
  const room = Mesh.join(alice, "lobby");
  const later = await relay.restart(proxy);
  t.after(() => later.kill());
  await lost;
  await Promise.all([state(alice, "up"), state(bob, "up")]);
  await Promise.all([alice.waitFor("bob"), alice.waitFor("rust"), room.waitFor("rust")]);
  await alice.send("bob", "n", 2);
  assert.deepEqual(await inbox.payloads(2), [1, 2]);
});

test("an id is taken once, and its owner gets it back", { skip }, async (t) => {
  // Nobody loses the id for being slow.
  const { proxy, relay, open, connect } = await stage(t, { probe_ms: 5_000 });
  const storage = new Map();
  storage.getItem = (key) => storage.get(key) ?? null;
  storage.setItem = (key, value) => storage.set(key, value);
  storage.removeItem = (key) => storage.delete(key);
  const bob = await connect("bob");
  const first = await connect("alice", { storage, url: proxy.url });
  await Promise.all([present(bob, "alice"), first.waitFor("rust")]);
  // It does not wait for the id.
  const impostor = open("alice", { giveUpMs: 0 });
  await assert.rejects(impostor.connected(), { code: "NameTaken" });
  assert.equal(impostor.state, "closed");
  await assert.rejects(impostor.send("bob", "x"), ({ code, cause }) => code === "NotConnected" && cause.code === "NameTaken");
  // Behind this it has answered the probe.
  await first.request("rust", "echo");
  assert.equal(first.state, "up");

  // A page that was loaded again while the server had not noticed that the first was gone.
  const runs = [];
  bob.onPeer(({ type, id, incarnation }) => runs.push([type, id, incarnation]));
  const again = await connect("alice", { storage, url: proxy.url });
  await state(first, "closed");
  await until((check) => bob.onPeer(check), () => runs.length === 2);
  assert.deepEqual(runs, [["down", "alice", first.incarnation], ["up", "alice", again.incarnation]]);
  assert.ok(again.incarnation > first.incarnation);
  assert.deepEqual(bob.peers(), ["alice", "rust"], "one alice");

  // A clock that was set back in between does not make a newer run an older one.
  const [key] = storage.keys();
  const known = JSON.parse(storage.get(key));
  storage.set(key, JSON.stringify({ ...known, incarnation: known.incarnation + 1e9 }));
  const third = open("alice", { storage, url: proxy.url });
  await third.connected();
  assert.ok(third.incarnation > known.incarnation + 1e9);
  await third.close();
  assert.equal(storage.size, 0, "who leaves gives the id away");
  assert.ok(relay.url);
});

test("who has gone without a word loses the id once somebody asks for it", { skip }, async (t) => {
  const { proxy, connect } = await stage(t);
  const [bob, ghost] = [await connect("bob"), await connect("alice", { url: proxy.url })];
  await present(bob, "alice");
  const runs = [];
  bob.onPeer(({ type, id, incarnation }) => runs.push([type, id, incarnation]));
  proxy.refuse(true);
  proxy.cut();
  await state(ghost, "connecting");
  const alice = await connect("alice");
  proxy.refuse(false);
  await assert.rejects(ghost.connected(), { code: "NameTaken" });
  assert.equal(alice.state, "up");
  await until((check) => bob.onPeer(check), () => runs.length === 2);
  assert.deepEqual(runs, [["down", "alice", ghost.incarnation], ["up", "alice", alice.incarnation]]);
  assert.deepEqual(bob.peers(), ["alice", "rust"]);
});

test("tokens let in, and are asked for anew each time", { skip }, async (t) => {
  const { proxy, open, connect } = await stage(t, { token: "right" });
  await assert.rejects(open("alice").connected(), { code: "Unauthorized" });
  await assert.rejects(open("alice", { token: "wrong" }).connected(), { code: "Unauthorized" });
  let asked = 0;
  const token = async () => {
    asked += 1;
    return "right";
  };
  const alice = await connect("alice", { token, url: proxy.url });
  proxy.cut();
  await state(alice, "connecting");
  await state(alice, "up");
  assert.equal(asked, 2);
});

test("a server that has fallen silent is given up and found again", { skip }, async (t) => {
  const { proxy, connect } = await stage(t, { heartbeat_ms: 2_000 });
  const alice = await connect("alice", { url: proxy.url, heartbeatMs: 2_000 });
  await present(alice, "rust");
  proxy.swallow();
  const error = await new Promise((tell) => alice.onState((change) => change.error && tell(change.error)));
  assert.equal(error.code, "Network");
  assert.match(error.message, /unresponsive/);
  await state(alice, "up");
  await alice.waitFor("rust");
  assert.equal((await alice.request("rust", "echo", 1)).payload, 1);
});

test("what is too long for the server is told, and harms nobody", { skip }, async (t) => {
  const { connect } = await stage(t, { max_message: 8192 });
  const [alice, bob] = [await connect("alice"), await connect("bob")];
  await present(alice, "bob");
  const inbox = new Inbox(bob, "x");
  await assert.rejects(alice.send("bob", "x", "x".repeat(9000)), { code: "PayloadTooLarge" });
  await assert.rejects(alice.send("bob", "x", "é".repeat(4500)), { code: "PayloadTooLarge" });
  assert.throws(() => alice.trySend("bob", "x", "x".repeat(9000)), { code: "PayloadTooLarge" });
  // Long ones that have room alone, and not together.
  await Promise.all([1, 2, 3].map((n) => alice.send("bob", "x", String(n).repeat(7000))));
  assert.deepEqual((await inbox.payloads(3)).map((text) => text[0]), ["1", "2", "3"]);
  assert.equal(alice.state, "up");
});

test("a slow peer slows down who sends to it, and loses nothing", { skip }, async (t) => {
  const { connect } = await stage(t);
  const [alice, bob] = [await connect("alice", { queueFrames: 64 }), await connect("bob", { capacity: 8 })];
  await present(alice, "bob");
  const seen = [];
  bob.on("n", async ({ payload }) => {
    await new Promise(setImmediate);
    seen.push(payload);
  });
  const count = 2000;
  const optionsOf = (n) => ({ timeoutMs: 100_000, ...(n === count - 1 && { level: "handled" }) });
  const sends = Array.from({ length: count }, (_, n) => alice.send("bob", "n", n, optionsOf(n)));
  assert.throws(() => alice.trySend("bob", "n", -1), { code: "QueueFull" });
  await Promise.all(sends);
  assert.deepEqual(seen, Array.from({ length: count }, (_, n) => n));
  assert.deepEqual(bob.bus.drops(), []);
});

test("a peer that takes nothing for too long is told of, and others behind the link go on", { skip }, async (t) => {
  const { connect, open } = await stage(t);
  const [alice, bob] = [await connect("alice"), open("bob", { capacity: 1 })];
  await present(alice, "bob");
  let release;
  const held = new Promise((free) => (release = free));
  const begun = new Promise((begin) => bob.once("hold", () => {
    begin();
    return held;
  }));
  await alice.send("bob", "hold");
  await begun;
  await alice.send("bob", "x", 1, { level: "received" });
  await assert.rejects(alice.send("bob", "x", 2, { level: "received" }), { code: "QueueFull" });
  assert.equal(bob.bus.dropped("queue_full"), 1);
  release();
});

test("peers of one page share a link that may speak for all of them", { skip }, async (t) => {
  const { connect } = await stage(t, { gateway: "page" });
  const page = await connect("page");
  const [helper, bob] = [page.bus.peer("helper"), await connect("bob")];
  await Promise.all([bob.waitFor("helper"), helper.waitFor("bob")]);
  const [atBob, atHelper] = [new Inbox(bob, "x"), new Inbox(helper, "x")];
  await helper.send("bob", "x", 1);
  await bob.send("helper", "x", 2);
  assert.deepEqual([await atBob.payloads(1), atBob.deliveries[0].from], [[1], "helper"]);
  assert.deepEqual([await atHelper.payloads(1), atHelper.deliveries[0].via], [[2], "websocket"]);
  await helper.close();
  await absent(bob, "helper");
  await assert.rejects(bob.send("helper", "x"), { code: "NodeNotFound" });
});

test("a relay that tells of nobody is believed to reach everybody, and says when not", { skip }, async (t) => {
  const { connect } = await stage(t, { presence: 1 });
  const [alice, bob] = [await connect("alice"), await connect("bob")];
  assert.equal(alice.reachable("bob"), false);
  const inbox = new Inbox(bob, "x");
  await alice.send("bob", "x", 1);
  await inbox.payloads(1);
  assert.equal(bob.reachable("alice"), true, "who has spoken is known");
  await bob.send("alice", "x");
  await assert.rejects(alice.send("nobody", "x", 1, { level: "received" }), { code: "NodeNotFound" });
});

test("nothing is left of a peer that is closed", { skip }, async (t) => {
  const { connect } = await stage(t);
  const [alice, bob] = [await connect("alice"), await connect("bob")];
  await present(bob, "alice");
  const received = bob.request("alice", "x").catch(({ code }) => code);
  assert.equal(await received, "NoHandler");
  for (let n = 0; n < 200; n += 1) alice.trySend("rust", "tally", n);
  await alice.close();
  await absent(bob, "alice");
  assert.deepEqual((await bob.request("rust", "tallied")).payload, Array.from({ length: 200 }, (_, n) => n));
  assert.deepEqual(alice.bus.drops().map(({ reason }) => reason), ["no_handler"]);
});
