// The messages of tests/vectors/bus.json, as far as clients read them as JSON.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { wire } from "../shiome.js";

const FILE = new URL("../../../../tests/vectors/bus.json", import.meta.url);
const VECTORS = JSON.parse(readFileSync(FILE, "utf8")).filter(({ encoding }) => encoding === "json");

/** A frame as it stands on the wire, with members at their default. */
const FIELDS = {
  envelope: ({ id, from, to, intent, sentAt, replyTo, hops, level, priority }) => ({
    id, from, to, name: intent.name, payload: intent.payload, sent_at: sentAt, reply_to: replyTo, hops, level, priority,
  }),
  ack: ({ received }) => ({ received }),
  ping: ({ nonce }) => ({ nonce }),
  pong: ({ nonce }) => ({ nonce }),
  presence: ({ all, partial, more, present, absent }) => ({ all, partial, more, present, absent }),
  goodbye: ({ reason, detail }) => ({ reason, detail }),
  refused: ({ reason, id, retryMs, detail }) => ({ reason, id, retry_ms: retryMs, detail }),
  welcome: ({ version, id, incarnation, relay, gateway, encoding, reclaim, resumed, received, maxMessage, heartbeatMs, graceMs }) => ({
    version, id, incarnation, relay, gateway, encoding, reclaim, resumed, received,
    max_message: maxMessage, heartbeat_ms: heartbeatMs, grace_ms: graceMs,
  }),
  // Clients say it, and read no more of it than that.
  hello: () => ({}),
};

const DEFAULTS = {
  envelope: { payload: null, sent_at: 0, hops: 0, level: "accepted", priority: "normal" },
  presence: { all: false, partial: false, more: false, present: [], absent: [] },
  goodbye: { detail: "" },
  refused: { detail: "" },
  welcome: { relay: false, gateway: false, encoding: "json", resumed: false, received: 0 },
};

const plain = (value) => JSON.parse(JSON.stringify(value));

test("there are vectors", () => {
  assert.ok(VECTORS.filter(({ frames }) => frames !== null).length >= 15);
  assert.ok(VECTORS.filter(({ frames }) => frames === null).length >= 20);
});

for (const { name, message, frames } of VECTORS) {
  test(name, () => {
    if (frames === null) {
      // Clients get no hello, and read none.
      if (message.includes('"hello"')) return;
      assert.throws(() => wire.decode(message), /./);
      return;
    }
    const decoded = wire.decode(message).map((frame) => ({ type: frame.type, ...FIELDS[frame.type](frame) }));
    const expected = JSON.parse(frames).map((frame) => (frame.type === "hello" ? { type: "hello" } : { ...DEFAULTS[frame.type], ...frame }));
    assert.deepEqual(plain(decoded), plain(expected));
    for (const frame of wire.decode(message)) {
      if (frame.type !== "envelope") continue;
      const [again] = wire.decode(`[${wire.encodeEnvelope(frame)}]`);
      assert.deepEqual(plain(FIELDS.envelope(again)), plain(FIELDS.envelope(frame)), "written and read again");
    }
  });
}
