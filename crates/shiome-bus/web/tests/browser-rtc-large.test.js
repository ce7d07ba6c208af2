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

test("100 MB go each way between two pages at the same time, and come out as they went in", { skip }, async (t) => {
  const [alice, bob] = await stage.pair(t);
  const both = [[alice, "bob"], [bob, "alice"]].map(([page, to]) =>
    page.evaluate(`(async () => {
      const sent = await pour("${to}", ${LARGE});
      return [sent, (await peer.request("${to}", "sum", null, { timeoutMs: 60_000 })).payload];
    })()`),
  );
  for (const [sent, got] of await Promise.all(both)) {
    assert.ok(sent.len >= LARGE);
    assert.deepEqual(got, sent);
  }
});
