// Direct connections of pages of a real browser, with each other and with Rust.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CHROMIUM, Chromium } from "./chromium.js";
import { serve } from "./pages.js";
import { Relay } from "./relay.js";

/** The program `rtc-testbed`, as `cargo xtask test` has built it. */
const TESTBED = process.env.SHIOME_RTC_TESTBED;
const skip = CHROMIUM && TESTBED ? false : "SHIOME_CHROMIUM and SHIOME_RTC_TESTBED name no programs";
/** Bytes of the large transfers. */
const LARGE = 100 * 1024 * 1024;
let browser, pages, relay;

before(async () => {
  if (skip) return;
  [browser, pages, relay] = await Promise.all([Chromium.launch(), serve(), Relay.start({}, TESTBED)]);
});

after(async () => {
  await browser?.close();
  await relay?.kill();
  pages?.stop();
});

/** What makes the peer of a page, and what it needs to be told. */
const makes = (id, { url = relay.url, options = "admit: () => true" } = {}) => `(async () => {
  const { Peer } = await import("./shiome.js");
  const { Rtc } = await import("./rtc.js");
  window.peer = new Peer("${id}", { url: "${url}" });
  window.rtc = new Rtc(peer, { heartbeatMs: 1000, ${options} });
  window.told = [];
  rtc.onPath((path) => told.push(path));
  // Timers of pages in the background are slow; messages are not.
  window.turn = () => new Promise((next) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = next;
    port2.postMessage(null);
  });
  window.until = async (what) => {
    const late = performance.now() + 30_000;
    while (!(await what())) {
      if (performance.now() > late) throw new Error("late: " + JSON.stringify(told));
      await turn();
    }
  };
  window.direct = (id) => until(() => rtc.path(id)?.path === "direct");
  window.relayed = (id) => until(() => rtc.path(id)?.path === "relayed");
  window.vias = {};
  window.numbers = [];
  peer.on("echo", (asked) => {
    vias[asked.via] = (vias[asked.via] ?? 0) + 1;
    return asked.respond(asked.payload);
  });
  peer.on("number", (said) => {
    vias[said.via] = (vias[said.via] ?? 0) + 1;
    numbers.push(said.payload);
  });
  const none = { len: 0, hash: 0x811c9dc5 };
  window.add = (sum, text) => {
    sum.len += text.length;
    let hash = sum.hash;
    for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    sum.hash = hash >>> 0;
  };
  let sum = { ...none };
  peer.on("sink", ({ payload }) => add(sum, payload));
  peer.on("sum", (asked) => {
    const answer = sum;
    sum = { ...none };
    return asked.respond(answer);
  });
  window.pour = async (to, bytes) => {
    const sent = { ...none };
    for (let number = 0; sent.len < bytes; ) {
      number = (Math.imul(number, 1664525) + 1013904223) >>> 0;
      const text = number.toString(16).padStart(8, "0").repeat(1500);
      add(sent, text);
      await peer.send(to, "sink", text);
    }
    return sent;
  };
  await peer.connected();
  return peer.incarnation;
})()`;

async function page(t, id, options) {
  const tab = await browser.open(pages.url);
  // A tab that a test has closed is closed.
  t.after(() => tab.close().catch(() => {}));
  await tab.evaluate(makes(id, options));
  return tab;
}

async function pair(t) {
  const [alice, bob] = await Promise.all([page(t, "alice"), page(t, "bob")]);
  await alice.evaluate(`peer.waitFor("bob").then(() => rtc.connect("bob")).then(() => direct("bob"))`);
  await bob.evaluate(`direct("alice")`);
  return [alice, bob];
}

test("two pages meet, and what is said goes directly", { skip }, async (t) => {
  const [alice, bob] = await pair(t);
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
  const [alice, bob] = await Promise.all([page(t, "alice"), page(t, "bob")]);
  await alice.evaluate(`(async () => {
    await peer.waitFor("bob");
    rtc.connect("bob");
    for (let [n, after] = [0, 0]; after < 500; n += 1) {
      await peer.send("bob", "number", n);
      await turn();
      if (rtc.path("bob").path === "direct") after += 1;
      if (n === 20_000) throw new Error(JSON.stringify(told));
      window.last = n;
    }
    await peer.request("bob", "echo", 1);
  })()`);
  const numbers = await bob.evaluate("numbers");
  assert.deepEqual(numbers, Array.from({ length: (await alice.evaluate("last")) + 1 }, (_, n) => n));
  const vias = await bob.evaluate("vias");
  assert.ok(vias.websocket > 0, JSON.stringify(vias));
  assert.ok(vias.webrtc > 0, JSON.stringify(vias));
});

test("two pages that call at once get one channel", { skip }, async (t) => {
  const [alice, bob] = await Promise.all([page(t, "alice"), page(t, "bob")]);
  const call = (id) => `peer.waitFor("${id}").then(() => rtc.connect("${id}")).then(() => direct("${id}"))`;
  await Promise.all([alice.evaluate(call("bob")), bob.evaluate(call("alice"))]);
  await alice.evaluate(`peer.request("bob", "echo", 1)`);
  assert.deepEqual(await bob.evaluate("vias"), { webrtc: 1 });
});

test("a page and Rust meet, whoever calls", { skip }, async (t) => {
  for (const [id, call] of [["carol", `rtc.connect("rust")`], ["dave", `peer.send("rust", "call")`]]) {
    const tab = await page(t, id);
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
  const [alice, closed] = await Promise.all([page(t, "alice"), page(t, "closed", { options: "" })]);
  await alice.evaluate(`peer.waitFor("closed").then(() => rtc.connect("closed")).then(() => relayed("closed"))`);
  assert.equal((await alice.evaluate("told.at(-1)")).reason, "refused");
  assert.equal(await closed.evaluate("rtc.paths().size"), 0);
  assert.equal(await alice.evaluate(`peer.request("closed", "echo", 1).then(({ via }) => via)`), "websocket");
});

test("a page that is loaded again is reached directly again", { skip }, async (t) => {
  const [alice, bob] = await pair(t);
  await bob.reload();
  await bob.evaluate(makes("bob"));
  await bob.evaluate(`peer.waitFor("alice").then(() => rtc.connect("alice")).then(() => direct("alice"))`);
  await alice.evaluate(`direct("bob").then(() => peer.request("bob", "echo", 1))`);
  assert.deepEqual(await bob.evaluate("vias"), { webrtc: 1 });
});

test("a tab that is closed is gone soon", { skip }, async (t) => {
  const [alice, bob] = await pair(t);
  await bob.close();
  await alice.evaluate(`relayed("bob")`);
  const { reason } = await alice.evaluate("told.at(-1)");
  assert.ok(["closed", "unresponsive"].includes(reason), reason);
});

test("channels live on while the relay is restarted", { skip }, async (t) => {
  const own = await Relay.start({}, TESTBED);
  const [alice, bob] = await Promise.all([page(t, "alice", { url: own.url }), page(t, "bob", { url: own.url })]);
  await alice.evaluate(`peer.waitFor("bob").then(() => rtc.connect("bob")).then(() => direct("bob"))`);
  await bob.evaluate(`direct("alice")`);
  await own.kill();
  await alice.evaluate(`until(() => peer.state !== "up")`);
  const during = await alice.evaluate(`peer.request("bob", "echo", 1).then(({ via }) => via)`);
  assert.equal(during, "webrtc");
  const later = await own.restart();
  t.after(() => later.kill());
  await alice.evaluate(`until(() => peer.state === "up")`);
  assert.equal(await alice.evaluate(`peer.request("bob", "echo", 1).then(({ via }) => via)`), "webrtc");
  assert.equal(await alice.evaluate(`told.filter(({ path }) => path === "direct").length`), 1, "it was never lost");
});

test("a page goes back to the relay when the channel is closed", { skip }, async (t) => {
  const [alice, bob] = await pair(t);
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

test("100 MB go from page to page and come out as they went in", { skip }, async (t) => {
  const [alice] = await pair(t);
  const [sent, got] = await alice.evaluate(`(async () => {
    const sent = await pour("bob", ${LARGE});
    return [sent, (await peer.request("bob", "sum", null, { timeoutMs: 60_000 })).payload];
  })()`);
  assert.ok(sent.len >= LARGE);
  assert.deepEqual(got, sent);
});

test("100 MB go between a page and Rust, both ways", { skip }, async (t) => {
  const tab = await page(t, "erin");
  const sums = await tab.evaluate(`(async () => {
    await peer.waitFor("rust");
    rtc.connect("rust");
    await direct("rust");
    const sent = await pour("rust", ${LARGE});
    const got = (await peer.request("rust", "sum", null, { timeoutMs: 60_000 })).payload;
    const asked = { to: "erin", bytes: ${LARGE} };
    const poured = await peer.request("rust", "pour", asked, { timeoutMs: 100_000 });
    return { sent, got, poured: poured.payload, via: poured.via };
  })()`);
  assert.deepEqual(sums.got, sums.sent);
  assert.equal(sums.via, "webrtc");
  // The answer goes after all that was poured.
  const own = await tab.evaluate(`peer.request("erin", "sum").then(({ payload }) => payload)`);
  assert.deepEqual(own, sums.poured);
});
