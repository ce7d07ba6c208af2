// Pages of a real browser that reach each other, and Rust, directly.

import { CHROMIUM, Chromium } from "./chromium.js";
import { serve } from "./pages.js";
import { Relay } from "./relay.js";

/** The program `rtc-testbed`, as `cargo xtask test` has built it. */
export const TESTBED = process.env.SHIOME_RTC_TESTBED;
export const skip = CHROMIUM && TESTBED ? false : "SHIOME_CHROMIUM and SHIOME_RTC_TESTBED name no programs";

/** What makes the peer of a page, and what it needs to be told. */
const makes = (id, { url, options = "admit: () => true" } = {}) => `(async () => {
  const { Peer } = await import("./shiome.js");
  const { Rtc } = await import("./rtc.js");
  window.peer = new Peer("${id}", { url: "${url}" });
  // No channel is lost for a page that was not given the processor.
  window.rtc = new Rtc(peer, { heartbeatMs: 25_000, ${options} });
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

/** A browser, and a relay with a peer behind it. */
export class Stage {
  static async open() {
    const [browser, pages, relay] = await Promise.all([Chromium.launch(), serve(), Relay.start({}, TESTBED)]);
    return Object.assign(new Stage(), { browser, pages, relay });
  }

  async close() {
    await this.browser.close();
    await this.relay.kill();
    this.pages.stop();
  }

  /** What makes the peer of a page. */
  makes(id, options = {}) {
    return makes(id, { url: this.relay.url, ...options });
  }

  async page(t, id, options) {
    const tab = await this.browser.open(this.pages.url);
    // A tab that a test has closed is closed.
    t.after(() => tab.close().catch(() => {}));
    await tab.evaluate(this.makes(id, options));
    return tab;
  }

  /** Alice and Bob, who have a channel. */
  async pair(t, options) {
    const [alice, bob] = await Promise.all([this.page(t, "alice", options), this.page(t, "bob", options)]);
    await alice.evaluate(`peer.waitFor("bob").then(() => rtc.connect("bob")).then(() => direct("bob"))`);
    await bob.evaluate(`direct("alice")`);
    return [alice, bob];
  }
}
