// Peers in pages of a real browser, and a relay and a peer in Rust.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Mesh, Peer } from "../shiome.js";
import { BEHAVIOURS, until } from "./behaviours.js";
import { CHROMIUM, Chromium } from "./chromium.js";
import { serve } from "./pages.js";
import { Proxy, Relay, TESTBED } from "./relay.js";
import { WebSocket } from "./socket.js";
import { onOneBus } from "./worlds.js";

const skip = CHROMIUM && TESTBED ? false : "SHIOME_CHROMIUM and SHIOME_WEB_TESTBED name no programs";
let browser, pages, relay;

before(async () => {
  if (skip) return;
  // Nobody loses a name for being slow.
  [browser, pages, relay] = await Promise.all([Chromium.launch(), serve(), Relay.start({ probe_ms: 5_000 })]);
});

after(async () => {
  await browser?.close();
  await relay?.kill();
  pages?.stop();
});

/** A peer in this process that looks on. */
async function watcher(t, id, url = relay.url) {
  const peer = await Peer.connect(id, { url, storage: null, WebSocket });
  t.after(() => peer.close());
  // The pages of the test before are gone.
  await until((check) => peer.onPeer(check), () => peer.peers().join() === "rust");
  const seen = [];
  peer.onPeer(({ type, id: who, incarnation }) => seen.push({ type, who, incarnation }));
  return { peer, seen };
}

/** An empty page of its own. */
async function open(t) {
  const tab = await browser.open(pages.url);
  // A tab that a test has closed is closed.
  t.after(() => tab.close().catch(() => {}));
  return tab;
}

/** What makes the peer of a page, which tells in the end which run of it it is. */
const makes = (id, url = relay.url) => `(async () => {
  const { Mesh, Peer } = await import("./shiome.js");
  window.states = [];
  window.peer = new Peer("${id}", { url: "${url}" });
  peer.onState(({ state, error }) => states.push(error?.code ?? state));
  await peer.connected();
  peer.on("echo", (asked) => asked.respond(asked.payload));
  window.room = Mesh.join(peer, "den");
  return peer.incarnation;
})()`;

for (const [way, world] of Object.entries({ "on one bus": "onOneBus(behaviour)", "through a relay": "throughServer(url, behaviour)" })) {
  test(`every behaviour is the same in a page ${way}`, { skip }, async (t) => {
    const tab = await open(t);
    for (const [name, behaviour] of Object.entries(BEHAVIOURS)) {
      await t.test(name, async () => {
        const result = await tab.evaluate(`(async () => {
          const { BEHAVIOURS } = await import("./tests/behaviours.js");
          const { onOneBus, throughServer } = await import("./tests/worlds.js");
          const [url, behaviour] = [${JSON.stringify(relay.url)}, BEHAVIOURS[${JSON.stringify(name)}]];
          return JSON.stringify(await ${world});
        })()`);
        assert.deepEqual(JSON.parse(result), JSON.parse(JSON.stringify(await onOneBus(behaviour))));
      });
    }
  });
}

test("a page and Rust understand each other", { skip }, async (t) => {
  await watcher(t, "bob");
  const tab = await open(t);
  await tab.evaluate(makes("alice"));
  const told = await tab.evaluate(`(async () => {
    await peer.waitFor("rust");
    const { payload } = await peer.request("rust", "echo", { text: "héllo 🎈", list: [1, null] });
    let [count, inOrder] = [0, true];
    const all = new Promise((done) => peer.on("flood", ({ payload: n }) => {
      inOrder &&= n === count;
      if ((count += 1) === 5000) done();
    }));
    await peer.request("rust", "flood", { to: "alice", name: "flood", count: 5000 });
    await all;
    return { payload, inOrder, ping: await peer.ping("rust") };
  })()`);
  assert.deepEqual([told.payload, told.inOrder], [{ text: "héllo 🎈", list: [1, null] }, true]);
  assert.ok(told.ping > 0);
});

test("a page that is loaded again keeps its id, and is no ghost", { skip }, async (t) => {
  const { peer: bob, seen } = await watcher(t, "bob");
  const room = Mesh.join(bob, "den");
  const rooms = [];
  room.onJoin(({ id, incarnation }) => rooms.push(["join", id, incarnation]));
  room.onLeave(({ id, incarnation }) => rooms.push(["leave", id, incarnation]));
  const tab = await open(t);
  const runs = [await tab.evaluate(makes("alice"))];
  await Promise.all([bob.waitFor("alice"), room.waitFor("alice")]);
  for (let reload = 0; reload < 3; reload += 1) {
    await tab.reload();
    runs.push(await tab.evaluate(makes("alice")));
    const last = runs.at(-1);
    await until((check) => room.onJoin(check), () => room.members().some(({ incarnation }) => incarnation === last));
    assert.equal((await bob.request("alice", "echo", reload)).payload, reload);
    assert.deepEqual(bob.peers(), ["alice", "rust"]);
    assert.deepEqual(room.members(), [{ id: "alice", incarnation: last }]);
  }
  assert.ok(runs.every((run, at) => at === 0 || run > runs[at - 1]));
  const alternating = (up, down) => runs.flatMap((run, at) => [[up, "alice", run], ...(at < 3 ? [[down, "alice", run]] : [])]);
  assert.deepEqual(seen.map(({ type, who, incarnation }) => [type, who, incarnation]), alternating("up", "down"));
  assert.deepEqual(rooms, alternating("join", "leave"));
});

test("a tab that is closed is seen to go", { skip }, async (t) => {
  // Who waits for its grace to be over waits for ever.
  const own = await Relay.start({ grace_ms: 3_600_000 });
  const { peer: bob, seen } = await watcher(t, "bob", own.url);
  t.after(() => own.kill());
  const tab = await open(t);
  await tab.evaluate(makes("alice", own.url));
  await bob.waitFor("alice");
  const waits = bob.request("alice", "nothing that answers").catch(({ code }) => code);
  assert.equal(await waits, "InvalidName");
  await tab.close();
  await until((check) => bob.onPeer(check), () => !bob.reachable("alice"));
  assert.deepEqual(seen.map(({ type }) => type), ["up", "down"]);
  await assert.rejects(bob.send("alice", "x"), { code: "NodeNotFound" });
});

test("a tab that was made of another takes the id over, and the other knows", { skip }, async (t) => {
  const { peer: bob, seen } = await watcher(t, "bob");
  const first = await open(t);
  const run = await first.evaluate(makes("alice"));
  await bob.waitFor("alice");
  const second = await browser.opened(() => first.evaluate(`void window.open(location.href)`));
  t.after(() => second.close());
  // The empty document that a tab begins with is complete, too.
  const isThere = `location.href === ${JSON.stringify(pages.url)} && document.readyState === "complete"`;
  while (!(await second.evaluate(isThere).catch(() => false))) await new Promise(setImmediate);
  const later = await second.evaluate(makes("alice"));
  assert.ok(later > run);
  assert.deepEqual(await first.evaluate(`new Promise((tell) => {
    const look = () => peer.state === "closed" && tell(states);
    peer.onState(look);
    look();
  })`), ["up", "NameTaken"]);
  await until((check) => bob.onPeer(check), () => seen.some(({ type, incarnation }) => type === "up" && incarnation === later));
  assert.deepEqual(bob.peers(), ["alice", "rust"]);
  assert.equal((await bob.request("alice", "echo", 1)).payload, 1);
});

test("a stranger does not get the id of a page", { skip }, async (t) => {
  const { peer: bob } = await watcher(t, "bob");
  const tab = await open(t);
  await tab.evaluate(makes("alice"));
  await bob.waitFor("alice");
  for (let attempt = 0; attempt < 2; attempt += 1) {
    // It does not wait for the name.
    const impostor = new Peer("alice", { url: relay.url, storage: null, WebSocket, giveUpMs: 0 });
    await assert.rejects(impostor.connected(), { code: "NameTaken" });
    await impostor.close();
    // Behind this the page has answered the probe.
    assert.equal((await bob.request("alice", "echo", attempt)).payload, attempt);
  }
  assert.deepEqual(await tab.evaluate("states"), ["up"]);
});

test("a page comes back when its relay does", { skip }, async (t) => {
  const own = await Relay.start();
  const proxy = await Proxy.start(own.port);
  t.after(() => proxy.stop());
  const tab = await open(t);
  await tab.evaluate(makes("alice", proxy.url));
  const later = await own.restart(proxy);
  const states = await tab.evaluate(`(async () => {
    const up = () => peer.state === "up" && states.includes("Network");
    if (!up()) await new Promise((back) => peer.onState(() => up() && back()));
    await peer.waitFor("rust");
    await peer.request("rust", "echo", 1);
    return states.filter((state) => state !== "Network");
  })()`);
  assert.deepEqual(states, ["up", "up"]);
  await later.kill();
});
