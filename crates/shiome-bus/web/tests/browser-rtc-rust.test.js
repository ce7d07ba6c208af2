// Much, between a page and Rust.

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

test("100 MB go between a page and Rust, both ways", { skip }, async (t) => {
  const tab = await stage.page(t, "erin");
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
