// Direct connections of pages of a real browser, with each other and with Rust.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Proxy, Relay } from "./relay.js";
import { Stage, TESTBED, skip } from "./rtc-stage.js";

let stage;

before(async () => {
  if (!skip) stage = await Stage.open();
});

after(() => stage?.close());

test("two pages meet, and what is said goes directly", { skip }, async (t) => {
  const [alice, bob] = await stage.pair(t);
  await alice.evaluate(`(async () => {
    for (let n = 0; n < 500; n += 1) await peer.send("bob", "number", n);
    for (let n = 0; n < 20; n += 1) await peer.request("bob", "echo", n);
  })()`);
  const all = Array.from({ length: 500 }, (_, n) => n);
  assert.deepEqual(await bob.evaluate("numbers"), all);
  assert.deepEqual(await bob.evaluate("vias"), { webrtc: 520 });
  assert.equal(await alice.evaluate(`peer.send("bob", "number", 1).then(({ via }) => via)`), "webrtc");
});

test("what is under way when the channel opens arrives in order and once", { skip }, async (t) => {
  const [alice, bob] = await Promise.all([stage.page(t, "alice"), stage.page(t, "bob")]);
  await alice.evaluate(`(async () => {
    await peer.waitFor("bob");
    rtc.connect("bob");
    const late = performance.now() + 60_000;
    for (let [n, after] = [0, 0]; after < 500; n += 1) {
      await peer.send("bob", "number", n);
      await turn();
      // What a busy machine does not get to in time is dropped, as over any link.
      if (n % 200 === 0) await peer.request("bob", "echo", n);
      if (rtc.path("bob").path === "direct") after += 1;
      if (performance.now() > late) throw new Error(JSON.stringify(told));
      window.last = n;
    }
    await peer.request("bob", "echo", 1);
  })()`);
  assert.equal(await bob.evaluate("peer.bus.dropped()"), 0);
  const numbers = await bob.evaluate("numbers");
  assert.deepEqual(numbers, Array.from({ length: (await alice.evaluate("last")) + 1 }, (_, n) => n));
  const vias = await bob.evaluate("vias");
  assert.ok(vias.websocket > 0, JSON.stringify(vias));
  assert.ok(vias.webrtc > 0, JSON.stringify(vias));
});

test("two pages that call at once get one channel", { skip }, async (t) => {
  const [alice, bob] = await Promise.all([stage.page(t, "alice"), stage.page(t, "bob")]);
  const call = (id) => `peer.waitFor("${id}").then(() => rtc.connect("${id}")).then(() => direct("${id}"))`;
  await Promise.all([alice.evaluate(call("bob")), bob.evaluate(call("alice"))]);
  await alice.evaluate(`peer.request("bob", "echo", 1)`);
  assert.deepEqual(await bob.evaluate("vias"), { webrtc: 1 });
});

test("a page and Rust meet, whoever calls", { skip }, async (t) => {
  for (const [id, call] of [["carol", `rtc.connect("rust")`], ["dave", `peer.send("rust", "call")`]]) {
    const tab = await stage.page(t, id);
    const told = await tab.evaluate(`(async () => {
      await peer.waitFor("rust");
      await ${call};
      await direct("rust");
      await until(() => peer.request("rust", "path").then((path) => path.payload === "direct"));
      const long = "x".repeat(300_000);
      const answers = [];
      for (const payload of [1, "潮目", { a: [1, 2] }, long]) {
        const answer = await peer.request("rust", "echo", payload);
        answers.push(answer.via, JSON.stringify(answer.payload) === JSON.stringify(payload));
      }
      return answers;
    })()`);
    assert.deepEqual(told, ["webrtc", true, "webrtc", true, "webrtc", true, "webrtc", true]);
  }
});

test("strangers are refused, and told so", { skip }, async (t) => {
  const [alice, closed] = await Promise.all([stage.page(t, "alice"), stage.page(t, "closed", { options: "" })]);
  await alice.evaluate(`peer.waitFor("closed").then(() => rtc.connect("closed")).then(() => relayed("closed"))`);
  assert.equal((await alice.evaluate("told.at(-1)")).reason, "refused");
  assert.equal(await closed.evaluate("rtc.paths().size"), 0);
  assert.equal(await alice.evaluate(`peer.request("closed", "echo", 1).then(({ via }) => via)`), "websocket");
});

test("a page that is loaded again is reached directly again", { skip }, async (t) => {
  const [alice, bob] = await stage.pair(t);
  await bob.reload();
  await bob.evaluate(stage.makes("bob"));
  await bob.evaluate(`peer.waitFor("alice").then(() => rtc.connect("alice")).then(() => direct("alice"))`);
  await alice.evaluate(`direct("bob").then(() => peer.request("bob", "echo", 1))`);
  assert.deepEqual(await bob.evaluate("vias"), { webrtc: 1 });
});

test("a tab that is closed is gone soon", { skip }, async (t) => {
  const [alice, bob] = await stage.pair(t, { options: "admit: () => true, heartbeatMs: 1000" });
  await bob.close();
  await alice.evaluate(`relayed("bob")`);
  const { reason } = await alice.evaluate("told.at(-1)");
  assert.ok(["closed", "unresponsive"].includes(reason), reason);
});

test("channels live on while the relay is restarted", { skip }, async (t) => {
  const own = await Relay.start({}, TESTBED);
  const proxy = await Proxy.start(own.port);
  t.after(() => proxy.stop());
  const [alice] = await stage.pair(t, { url: proxy.url });
  proxy.refuse(true);
  await own.kill();
  await alice.evaluate(`until(() => peer.state !== "up")`);
  const during = await alice.evaluate(`peer.request("bob", "echo", 1).then(({ via }) => via)`);
  assert.equal(during, "webrtc");
  const later = await own.restart(proxy);
  t.after(() => later.kill());
  await alice.evaluate(`until(() => peer.state === "up")`);
  assert.equal(await alice.evaluate(`peer.request("bob", "echo", 1).then(({ via }) => via)`), "webrtc");
  assert.equal(await alice.evaluate(`told.filter(({ path }) => path === "direct").length`), 1, "it was never lost");
});

test("a page goes back to the relay when the channel is closed", { skip }, async (t) => {
  const [alice, bob] = await stage.pair(t);
  await alice.evaluate(`(async () => {
    for (let n = 0; n < 1000; n += 1) {
      await peer.send("bob", "number", n);
      if (n === 500) rtc.disconnect("bob");
    }
    await peer.request("bob", "echo", 1);
  })()`);
  assert.deepEqual(await bob.evaluate("numbers"), Array.from({ length: 1000 }, (_, n) => n));
  const vias = await bob.evaluate("vias");
  assert.ok(vias.websocket > 1 && vias.webrtc > 1, JSON.stringify(vias));
});
