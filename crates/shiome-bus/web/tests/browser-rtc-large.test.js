// Much, from page to page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Stage, skip } from "./rtc-stage.js";

/** Bytes that go each way. */
const LARGE = 100 * 1024 * 1024;
let stage;

before(async () => {
  if (!skip) stage = await Stage.open();
});

after(() => stage?.close());

test("100 MB go from page to page and come out as they went in", { skip }, async (t) => {
  const [alice] = await stage.pair(t);
  const [sent, got] = await alice.evaluate(`(async () => {
    const sent = await pour("bob", ${LARGE});
    return [sent, (await peer.request("bob", "sum", null, { timeoutMs: 60_000 })).payload];
  })()`);
  assert.ok(sent.len >= LARGE);
  assert.deepEqual(got, sent);
});
