// The dashboard of `shiome node --dashboard` in Chromium, beside what the node says itself.
//
// With SHIOME_DASHBOARD_PICTURES set to a directory, pictures are written there.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { CHROMIUM, Chromium } from "../../../shiome-bus/web/tests/chromium.js";
import { Peer } from "../../../shiome-bus/web/shiome.js";
import { WebSocket } from "../../../shiome-bus/web/tests/socket.js";
import { SHIOME, TOKEN, cluster, runs, screen } from "./nodes.js";
import { Simulated } from "./simulated.js";

const skip = CHROMIUM && SHIOME ? false : "SHIOME_CHROMIUM and SHIOME_BIN name no programs";
const PICTURES = process.env.SHIOME_DASHBOARD_PICTURES;
const DESKTOP = { width: 1280, height: 1000 };
const PHONE = { width: 360, height: 740 };

/** Times of the processor that a page of 500 nodes may take to show a snapshot, usually and once, in milliseconds. */
const MAX_USUAL_MS = 100;
const MAX_ONCE_MS = 500;

/** Waits until an expression holds in a page, looking after each change of it. */
const sees = (tab, expression) => tab.evaluate(`new Promise((seen) => {
  const look = () => (${expression}) && (observer.disconnect(), seen());
  const observer = new MutationObserver(look);
  observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  look();
})`);

/** Time of the processor that a page has had, in milliseconds: it does not grow while the machine does something else. */
async function spent(tab) {
  const { metrics } = await tab.call("Performance.getMetrics");
  return 1000 * metrics.find(({ name }) => name === "TaskDuration").value;
}

/** Waits until nothing moves in a page. What another movement takes the place of does not finish. */
const rests = (tab) => tab.evaluate(`(async () => {
  for (let moves; (moves = document.getAnimations()).length > 0;) await Promise.allSettled(moves.map(({ finished }) => finished));
})()`);

const tile = (name) => `document.querySelector('[data-tile="${name}"] dd')?.textContent`;
const node = (name) => `document.querySelector('#nodes [data-name="${name}"]')`;
const fill = (name) => `getComputedStyle(${node(name)}.querySelector("circle")).fill`;
const rows = (name) => `[...document.querySelectorAll("#panel-${name} tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent))`;
const opens = (tab, name) => tab.evaluate(`document.getElementById("tab-${name}").click()`);
const press = async (tab, key) => {
  for (const type of ["keyDown", "keyUp"]) await tab.call("Input.dispatchKeyEvent", { type, key, code: key });
};

async function browse(t) {
  const browser = await Chromium.launch();
  t.after(() => browser.close());
  return browser;
}

/** A WebSocket that does not hear who has gone. */
class Uninformed extends WebSocket {
  #told = () => {};

  constructor(url, protocol) {
    super(url, protocol);
    const stays = ({ type, absent }) => type !== "presence" || !absent;
    const hears = ({ data }) => this.#told({ data: JSON.stringify(JSON.parse(data).filter(stays)) });
    Object.defineProperty(this, "onmessage", { get: () => hears, set: (told) => (this.#told = told) });
  }
}

/** Three nodes, the first of which has a dashboard. */
async function three(t, ...more) {
  const nodes = await cluster(t);
  const a = await nodes.start("a", "--dashboard", "127.0.0.1:0", ...more.flatMap((name) => nodes[name]));
  const [b, c] = await Promise.all(["b", "c"].map((name) => nodes.start(name, "--seed", a.address)));
  await Promise.all([a.line(`ready ${b.name}`), a.line(`ready ${c.name}`)]);
  return { a, b, c, nodes, url: await a.dashboard() };
}

test("what the page shows is what the node says", { skip }, async (t) => {
  const { a, b, c, url } = await three(t);
  const browser = await browse(t);
  const tab = await browser.open(url, DESKTOP);
  await sees(tab, `${tile("Members up")} === "3" && ${tile("Sessions")} === "2"`);
  await sees(tab, `document.querySelectorAll("#nodes .alive").length === 2`);
  const told = async (path) => (await fetch(`${url}v1/${path}`)).json();
  // The page shows what was a moment ago: it is asked until both are of one moment.
  let snapshot;
  do {
    snapshot = await told("snapshot");
  } while (await tab.evaluate(tile("Actors")) !== String(snapshot.node.actors));
  const groups = await told("groups");
  assert.equal(await tab.evaluate(`document.getElementById("name").textContent`), a.name);
  const shown = await tab.evaluate(rows("sessions"));
  const session = (one) => [one.peer, one.state, one.calls_out, one.lanes.length];
  assert.deepEqual(snapshot.sessions.map(session).sort(), [b, c].map(({ name }) => [name, "ready", 0, 3]));
  assert.deepEqual(shown.map(([peer, state, tier]) => [peer, state, tier]), [b, c].map(({ name }) => [name, "ready", "native plain"]));
  await opens(tab, "actors");
  let said, listed;
  do {
    said = (await told("actors")).items.map(({ pid }) => String(pid)).join();
    listed = (await tab.evaluate(rows("actors"))).map(([pid]) => pid).join();
  } while (said === "" || listed !== said);
  await opens(tab, "groups");
  await sees(tab, `document.querySelector("#panel-groups [role=status]").textContent.startsWith("${groups.total} in all")`);
  await opens(tab, "gossip");
  await sees(tab, `document.getElementById("panel-gossip").textContent.includes("2 up, 0 of them suspected")`);
  await opens(tab, "members");
  await sees(tab, `${rows("members")}.length === 3`);
  const members = await tab.evaluate(rows("members"));
  assert.deepEqual(members.map(([name, , state]) => [name, state]), [[a.name, "this node"], [b.name, "alive"], [c.name, "alive"]]);
  const addresses = members.map(([, address]) => address);
  assert.deepEqual(addresses.toSorted(), snapshot.members.map(({ address }) => address).toSorted());
  await opens(tab, "sessions");
});

test("a node that is killed turns red, and green when it is back", { skip }, async (t) => {
  const { a, c, nodes, url } = await three(t);
  const tab = await (await browse(t)).open(url, DESKTOP);
  await sees(tab, `${node(c.name)}?.classList.contains("alive")`);
  await tab.evaluate("document.documentElement.dataset.theme = 'light'");
  await c.kill();
  await sees(tab, `${node(c.name)}.classList.contains("failed")`);
  await sees(tab, `${tile("Members up")} === "2"`);
  await rests(tab);
  assert.equal(await tab.evaluate(fill(c.name)), "rgb(192, 31, 43)");
  assert.match(await tab.evaluate(`${node(c.name)}.getAttribute("aria-label")`), /: failed$/);
  await opens(tab, "timeline");
  await sees(tab, `document.querySelector('#panel-timeline [data-kind="member_down"]')?.textContent.includes("${c.name}: failed")`);
  // A page that is opened only now knows it, too.
  await tab.reload();
  await sees(tab, `${node(c.name)}?.classList.contains("failed")`);
  await nodes.start("c", "--seed", a.address);
  await sees(tab, `${node(c.name)}.classList.contains("alive") && ${tile("Members up")} === "3"`);
});

test("nothing acts without the token, and no foreign page at all", { skip }, async (t) => {
  const { b, url } = await three(t, "token");
  const body = JSON.stringify({ node: b.name });
  const post = (headers, to = url) => fetch(`${to}v1/ping`, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
  const bearer = { authorization: `Bearer ${TOKEN}` };
  assert.equal((await post({})).status, 401);
  assert.equal((await post({ authorization: "Bearer wrong" })).status, 401);
  assert.equal((await post({ ...bearer, origin: "http://evil.example" })).status, 403);
  assert.equal((await post(bearer)).status, 200);
  const tab = await (await browse(t)).open(url, DESKTOP);
  await sees(tab, `${node(b.name)}?.classList.contains("alive")`);
  await tab.evaluate(`${node(b.name)}.dispatchEvent(new Event("click"))`);
  await sees(tab, `document.getElementById("chosen-title").textContent === "${b.name}"`);
  const acted = (token) => tab.evaluate(`(document.getElementById("token").value = "${token}", document.getElementById("ping").click())`);
  await acted("wrong-wrong-wrong-wrong");
  await sees(tab, `document.getElementById("acted").textContent === "the token is missing or wrong"`);
  await acted(TOKEN);
  await sees(tab, `document.getElementById("acted").textContent.startsWith("answered in ")`);
});

test("without a token the page only reads, and runs no script but its own", { skip }, async (t) => {
  const { b, url } = await three(t);
  const response = await fetch(`${url}v1/ping`, { method: "POST", body: "{}" });
  assert.equal(response.status, 404);
  const page = await fetch(url);
  assert.match(page.headers.get("content-security-policy"), /^default-src 'none'; script-src 'sha256-/);
  assert.equal((await fetch(`${url}v1/node`, { headers: { origin: "http://evil.example" } })).status, 403);
  const tab = await (await browse(t)).open(url, DESKTOP);
  await sees(tab, `${node(b.name)}?.classList.contains("alive")`);
  assert.equal(await tab.evaluate(`document.getElementById("act").hidden`), true);
  const ran = await tab.evaluate(`new Promise((done) => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => done(violatedDirective));
    const script = document.createElement("script");
    script.textContent = "document.title = 'foreign'";
    document.body.append(script);
  })`);
  assert.match(ran, /^script-src/);
  assert.doesNotMatch(await tab.evaluate("document.title"), /foreign/);
});

/** The page of a real node, with the feed of a cluster of this size. */
async function simulated(t, size) {
  const nodes = await cluster(t);
  const url = await (await nodes.start("a", "--dashboard", "127.0.0.1:0")).dashboard();
  const page = await fetch(url);
  const headers = Object.fromEntries(["content-type", "content-security-policy"].map((name) => [name, page.headers.get(name)]));
  const feed = new Simulated(size, { text: await page.text(), headers });
  t.after(() => feed.stop());
  return { feed, url: await feed.serve() };
}

test("peers of the bus and what was dropped are shown", { skip }, async (t) => {
  const nodes = await cluster(t);
  const a = await nodes.start("a", "--dashboard", "127.0.0.1:0", "--bus", "ws://127.0.0.1:0/bus");
  const relay = (await a.line("bus ")).split(" ")[1];
  const tab = await (await browse(t)).open(await a.dashboard(), DESKTOP);
  await opens(tab, "bus");
  await sees(tab, `${tile("Bus peers")} === "0"`);
  const alice = await Peer.connect("alice", { url: relay, storage: null, WebSocket });
  t.after(() => alice.close());
  await sees(tab, `document.querySelector("#panel-bus p").textContent === "alice" && ${tile("Bus peers")} === "1"`);
  await sees(tab, `${rows("bus")}.map(([, state]) => state).join() === "up"`);
  // Who is not told that somebody has gone goes on sending.
  const bob = await Peer.connect("bob", { url: relay, storage: null, WebSocket: Uninformed });
  t.after(() => bob.close());
  await bob.waitFor("alice");
  await sees(tab, `${tile("Bus peers")} === "2"`);
  await alice.close();
  // Until then the relay may take what is for alice as on its way to her.
  await sees(tab, `${tile("Bus peers")} === "1"`);
  await assert.rejects(bob.send("alice", "chat.message", "lost", { level: "received" }), { code: "NodeNotFound" });
  await sees(tab, `${rows("bus")}.some((row) => row.slice(1).join() === "node_not_found,bob,alice,chat.message")`);
  await sees(tab, `document.querySelector("#panel-bus .facts").textContent.includes("Dropped: node_not_found1")`);
  assert.ok(!(await tab.evaluate(`document.getElementById("panel-bus").textContent`)).includes("lost"), "payloads are not shown");
  await bob.close();
  await sees(tab, `${tile("Bus peers")} === "0"`);
});

test("500 nodes are shown without a freeze", { skip }, async (t) => {
  const { feed, url } = await simulated(t, 500);
  const tab = await (await browse(t)).open(url, DESKTOP);
  await sees(tab, `document.querySelectorAll("#nodes .alive").length === 499`);
  await tab.call("Performance.enable", { timeDomain: "threadTicks" });
  await tab.evaluate(`(() => {
    performance.clearMeasures("shiome-render");
    window.shown = 0;
    window.waiting = [];
    new PerformanceObserver((list) => {
      window.shown += list.getEntries().length;
      window.waiting = window.waiting.filter((wait) => !wait());
    }).observe({ entryTypes: ["measure"] });
  })()`);
  const times = [];
  for (let second = 1; second <= 20; second += 1) {
    const before = await spent(tab);
    feed.tick();
    await tab.evaluate(`new Promise((seen) => {
      const look = () => window.shown >= ${second} && (seen(), true);
      look() || window.waiting.push(look);
    })`);
    times.push(await spent(tab) - before);
  }
  times.sort((one, other) => one - other);
  const [usual, once] = [times[times.length >> 1], times.at(-1)];
  t.diagnostic(`500 nodes: median ${usual.toFixed(1)} ms, longest ${once.toFixed(1)} ms`);
  assert.ok(times[0] > 0 && usual < MAX_USUAL_MS && once < MAX_ONCE_MS, `a snapshot takes ${usual} ms, once ${once} ms`);
  assert.ok(await tab.evaluate(`document.querySelectorAll("#panel-sessions tbody tr").length`) <= 50, "lists are paged");
  feed.states[77] = "gone";
  feed.happens("member_down", 77, "failed");
  feed.tick();
  await sees(tab, `${node("n77@10.0.0.77")}.classList.contains("failed") && ${tile("Members up")} === "499"`);
});

test("it can be used on a phone, by keyboard, and by ear", { skip }, async (t) => {
  const { feed, url } = await simulated(t, 24);
  const browser = await browse(t);
  const tab = await browser.open(url, PHONE);
  await sees(tab, `document.querySelectorAll("#nodes .alive").length === 23`);
  for (const name of ["members", "sessions", "actors", "groups", "timeline", "gossip", "bus"]) {
    await opens(tab, name);
    const width = await tab.evaluate("document.documentElement.scrollWidth");
    assert.ok(width <= PHONE.width, `${name} is ${width} wide`);
  }
  await tab.evaluate(`document.getElementById("graph").focus()`);
  await press(tab, "ArrowRight");
  await press(tab, "ArrowRight");
  await sees(tab, `document.getElementById("chosen-title").textContent === "${feed.names[1]}"`);
  const { nodes } = await tab.call("Accessibility.getFullAXTree");
  const named = (role) => nodes.filter((one) => one.role?.value === role).map((one) => one.name?.value ?? "");
  assert.equal(named("option").filter((name) => /^n\d+@.*: (alive|this node)/.test(name)).length, 24);
  assert.ok(["button", "tab", "searchbox"].every((role) => named(role).every((name) => name !== "")), "all controls have names");
  await opens(tab, "sessions");
  await tab.evaluate(`document.getElementById("tab-sessions").focus()`);
  await press(tab, "ArrowRight");
  await sees(tab, `document.activeElement.id === "tab-actors" && !document.getElementById("panel-actors").hidden`);
  await opens(tab, "sessions");
  const background = () => tab.evaluate("getComputedStyle(document.documentElement).backgroundColor");
  const before = await background();
  await tab.evaluate(`document.getElementById("theme").click()`);
  assert.notEqual(await background(), before);
});

const skipPictures = skip || (PICTURES ? false : "SHIOME_DASHBOARD_PICTURES names no directory");

test("a picture of watch", { skip: skipPictures }, async (t) => {
  const nodes = await cluster(t);
  const a = await nodes.start("a", "--admin", nodes.admin);
  const others = await Promise.all(["b", "c", "d", "e"].map((name) => nodes.start(name, "--seed", a.address)));
  await Promise.all(others.map(({ name }) => a.line(`ready ${name}`)));
  const [b, c, , e] = others;
  for (const { name } of [b, c]) runs(t, "ping", name, "--count", "1000000", "--admin", nodes.admin).resume();
  await e.kill();
  await a.line("down ");
  const text = await screen(runs(t, "watch", "--admin", nodes.admin), 3);
  assert.match(text, /member_down .* failed/);
  const page = `<!doctype html><style>
    body { margin: 0; background: #10141a; color: #d7dde5; font: 14px/20px "DejaVu Sans Mono", "Liberation Mono", monospace }
    pre { margin: 0; padding: 14px 18px; font: inherit; display: inline-block } b { color: #7fd1b9 }
  </style><pre><b>$ shiome watch</b>\n\n${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</pre>`;
  const tab = await (await browse(t)).open(`data:text/html,${encodeURIComponent(page)}`, DESKTOP);
  const { width, height } = await tab.evaluate(`document.querySelector("pre").getBoundingClientRect().toJSON()`);
  const size = { width: Math.ceil(width), height: Math.ceil(height), deviceScaleFactor: 1, mobile: false };
  await tab.call("Emulation.setDeviceMetricsOverride", size);
  await writeFile(join(PICTURES, "watch.png"), await tab.screenshot());
});

test("pictures of a demo at work", { skip: skipPictures }, async (t) => {
  const child = spawn(SHIOME, ["demo", "--nodes", "7", "--dashboard"], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.stdin.end() && once(child, "exit"));
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise((found) => lines.on("line", (line) => line.includes("dashboard http") && found(line.trim().split(" ")[1])));
  const browser = await browse(t);
  for (const [name, size, theme] of [["dashboard.png", DESKTOP, "light"], ["dashboard-phone.png", PHONE, "dark"]]) {
    const tab = await browser.open(url, size);
    await tab.evaluate(`document.documentElement.dataset.theme = "${theme}"`);
    await sees(tab, `document.querySelectorAll("#nodes .alive").length === 6 && /iB/.test(${tile("In")})`);
    await rests(tab);
    await writeFile(join(PICTURES, name), await tab.screenshot());
    await tab.close();
  }
});
