// What the README shows runs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Mesh, Peer } from "../shiome.js";
import { Inbox } from "./behaviours.js";
import { Relay, TESTBED } from "./relay.js";
import { WebSocket } from "./socket.js";

const README = readFileSync(new URL("../../../../README.md", import.meta.url), "utf8");
const skip = TESTBED ? false : "SHIOME_WEB_TESTBED names no program";

test("the example runs", { skip }, async (t) => {
  const relay = await Relay.start();
  const bob = await Peer.connect("bob", { url: relay.url, storage: null, WebSocket });
  const made = [bob];
  t.after(async () => {
    await Promise.all(made.map((peer) => peer.close()));
    await relay.kill();
  });
  const inbox = new Inbox(bob, "chat.message");
  bob.on("time", (asked) => asked.respond("late"));
  const room = Mesh.join(bob, "lobby");
  const heard = new Promise((hear) => room.on("message", (text, from) => hear([from, text])));

  const [, code] = README.split("```js\n")[1].split("```")[0].split(/^import .*\n/m);
  class Known extends Peer {
    static async connect(id, options) {
      const peer = await Peer.connect(id, { ...options, url: relay.url, storage: null, WebSocket });
      made.push(peer);
      await peer.waitFor("bob");
      return peer;
    }
  }
  // Members find each other while the code goes on; in the README they had the time.
  class Patient extends Mesh {
    static join(...where) {
      const joined = Mesh.join(...where);
      const send = joined.sendText.bind(joined);
      joined.sendText = async (text) => joined.waitFor("bob").then(() => send(text));
      return joined;
    }
  }
  const run = Object.getPrototypeOf(async () => {}).constructor;
  await run("Peer", "Mesh", "console", code)(Known, Patient, { log() {} });
  assert.deepEqual(await inbox.payloads(1), [{ text: "hello" }]);
  assert.deepEqual(await heard, ["alice", "it is late"]);
});
