// The relay of `shiome node --bus`: who is let in.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";

import { Peer } from "../../../shiome-bus/web/shiome.js";
import { WebSocket } from "../../../shiome-bus/web/tests/socket.js";
import { SHIOME, TOKEN, cluster } from "./nodes.js";

const skip = SHIOME ? false : "SHIOME_BIN names no program";
const RELAY = ["--bus", "ws://127.0.0.1:0/bus"];

/** Where the relay of a node with these options is. */
async function relay(t, ...more) {
  const nodes = await cluster(t);
  const options = more.flatMap((option) => nodes[option] ?? option);
  const a = await nodes.start("a", ...RELAY, ...options);
  return (await a.line("bus ")).split(" ")[1];
}

const join = (url, id, more) => Peer.connect(id, { url, storage: null, WebSocket, ...more });

test("with a token, only those who show it are on the bus", { skip }, async (t) => {
  const url = await relay(t, "busToken");
  for (const token of [undefined, "", TOKEN.slice(0, -1), `${TOKEN}x`]) {
    await assert.rejects(join(url, "mallory", { token }), { code: "Unauthorized" });
  }
  const [alice, bob] = await Promise.all(["alice", "bob"].map((id) => join(url, id, { token: TOKEN })));
  const heard = [];
  bob.on("chat.*", ({ from, payload }) => heard.push([from, payload]));
  await alice.waitFor("bob");
  await alice.send("bob", "chat.message", "hello", { level: "handled" });
  assert.deepEqual(heard, [["alice", "hello"]]);
  await Promise.all([alice.close(), bob.close()]);
});

/** The status of a request to open a WebSocket from a page of that site; of a program without one. */
async function opening(url, origin) {
  const { hostname, port, pathname } = new URL(url);
  const headers = {
    connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "sec-websocket-protocol": "shiome-bus.1", ...(origin && { origin }),
  };
  const asked = request({ hostname, port, path: pathname, headers }).end();
  const [response, socket] = await Promise.race([once(asked, "upgrade"), once(asked, "response")]);
  (socket ?? response).destroy();
  return response.statusCode;
}

test("pages are taken from the sites that were named, and from no other", { skip }, async (t) => {
  const named = await relay(t, "--bus-origin", "https://example.org", "--bus-origin", "http://localhost:8080");
  for (const [origin, status] of [
    [undefined, 101], ["https://example.org", 101], ["http://localhost:8080", 101],
    ["http://example.org", 403], ["https://example.org:8443", 403], ["https://evil.example", 403], ["null", 403],
    ["https://example.org.evil.example", 403],
  ]) assert.equal(await opening(named, origin), status, origin);
  const closed = await relay(t);
  assert.equal(await opening(closed, undefined), 101);
  assert.equal(await opening(closed, "https://example.org"), 403, "without names no page is taken");
});

test("peers of two nodes reach each other over the cluster, until one of the nodes is gone", { skip }, async (t) => {
  const nodes = await cluster(t);
  const a = await nodes.start("a", ...RELAY);
  const b = await nodes.start("b", ...RELAY, "--seed", a.address);
  await Promise.all([a.line(`ready ${b.name}`), b.line(`ready ${a.name}`)]);
  const url = async (node) => (await node.line("bus ")).split(" ")[1];
  const [alice, bob] = [await join(await url(a), "alice"), await join(await url(b), "bob")];
  t.after(() => Promise.allSettled([alice.close(100), bob.close(100)]));
  await Promise.all([alice.waitFor("bob"), bob.waitFor("alice")]);
  const heard = [];
  bob.on("chat.*", ({ from, payload }) => heard.push([from, payload]));
  await alice.send("bob", "chat.message", "hello", { level: "handled" });
  assert.deepEqual(heard, [["alice", "hello"]]);
  // A name is taken wherever its peer is.
  await assert.rejects(join(await url(b), "alice"), { code: "NameTaken" });
  await bob.send("alice", "chat.message", "still you?", { level: "received" });
  // Who comes is told of at the other node, and who goes.
  const carol = await join(await url(b), "carol");
  await alice.waitFor("carol");
  await carol.close();
  // She goes before it is sent, or while it is on its way, or as it arrives: her link is down just before she is gone.
  const late = alice.send("carol", "chat.message", "hello", { level: "received" });
  await assert.rejects(late, ({ code }) => ["NodeNotFound", "Closed", "NotConnected"].includes(code));
  await b.kill();
  await a.line(`lost ${b.name}`);
  await assert.rejects(alice.send("bob", "chat.message", "hello", { level: "handled" }));
  assert.equal(heard.length, 1);
});
