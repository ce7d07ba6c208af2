// Who is waited for.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Peer } from "../shiome.js";
import { Clock, sockets, tasks } from "./fake.js";

test("a peer that is there when the link comes up is found by who waited before", async (t) => {
  const clock = new Clock(t);
  const Socket = sockets();
  const alice = new Peer("alice", { url: "ws://host/bus", storage: null, WebSocket: Socket });
  t.after(() => void alice.close(0).catch(() => {}));
  const met = alice.waitFor("bob").then(() => "met", ({ code }) => code);
  await tasks();
  await Socket.last.welcome({}, [["bob", 1]]);
  await tasks();
  assert.ok(alice.reachable("bob"));
  await clock.advance(20_000);
  assert.equal(await met, "met");
});
