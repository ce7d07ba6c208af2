// Chromium without a window, driven through a pipe (Chrome DevTools Protocol).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The browser, as `cargo xtask test` has found it. */
export const CHROMIUM = process.env.SHIOME_CHROMIUM;

const FLAGS = [
  "--headless",
  "--remote-debugging-pipe",
  "--no-first-run",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-extensions",
  "--disable-sync",
  // Containers have little shared memory, and no user that may set up a sandbox; the pages are ours.
  "--disable-dev-shm-usage",
  "--no-sandbox",
  "--hide-scrollbars",
];

export class Chromium {
  #child;
  #profile;
  #calls = new Map();
  #listeners = new Set();
  #last = 0;
  #rest = "";

  static async launch() {
    const browser = new Chromium();
    browser.#profile = await mkdtemp(join(tmpdir(), "shiome-chromium-"));
    const flags = [...FLAGS, `--user-data-dir=${browser.#profile}`, "about:blank"];
    browser.#child = spawn(CHROMIUM, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.#child.stdio[4].setEncoding("utf8").on("data", (text) => browser.#read(text));
    // What is written to a browser that has ended is lost with it.
    browser.#child.stdio[3].on("error", () => {});
    browser.#child.on("exit", () => browser.#calls.forEach(({ reject }) => reject(new Error("the browser has ended"))));
    await browser.call("Browser.getVersion");
    return browser;
  }

  /** Messages end with a zero. */
  #read(text) {
    const messages = (this.#rest + text).split("\0");
    this.#rest = messages.pop();
    for (const message of messages) this.#take(JSON.parse(message));
  }

  #take({ id, result, error, ...event }) {
    if (id === undefined) return this.#listeners.forEach((listener) => listener(event));
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return error ? call.reject(new Error(error.message)) : call.resolve(result);
  }

  call(method, params = {}, sessionId = undefined) {
    this.#last += 1;
    const id = this.#last;
    this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  /** The next event of that name. */
  event(method, sessionId) {
    return new Promise((resolve) => {
      const listener = (event) => {
        if (event.method !== method || event.sessionId !== sessionId) return;
        this.#listeners.delete(listener);
        resolve(event.params);
      };
      this.#listeners.add(listener);
    });
  }

  async open(url, size = { width: 800, height: 600 }) {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
    return this.#attach(targetId, url, size);
  }

  async #attach(targetId, url, size) {
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, targetId, sessionId);
    await tab.call("Page.enable");
    await tab.call("Emulation.setDeviceMetricsOverride", { ...size, deviceScaleFactor: size.scale ?? 1, mobile: false });
    if (url) await tab.load("Page.navigate", { url });
    return tab;
  }

  /** The tab that an act of a page opens. */
  async opened(act) {
    const before = new Set((await this.call("Target.getTargets")).targetInfos.map(({ targetId }) => targetId));
    await act();
    const { targetInfos } = await this.call("Target.getTargets");
    const [target] = targetInfos.filter(({ type, targetId }) => type === "page" && !before.has(targetId));
    return this.#attach(target.targetId, undefined, { width: 800, height: 600 });
  }

  async close() {
    if (this.#child.exitCode === null) {
      const exit = once(this.#child, "exit");
      const late = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
      this.call("Browser.close").catch(() => {});
      await exit;
      clearTimeout(late);
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Tab {
  constructor(browser, targetId, sessionId) {
    Object.assign(this, { browser, targetId, sessionId });
  }

  call(method, params) {
    return this.browser.call(method, params, this.sessionId);
  }

  async load(method, params) {
    const loaded = this.browser.event("Page.loadEventFired", this.sessionId);
    const { errorText } = await this.call(method, params);
    if (errorText) throw new Error(errorText);
    await loaded;
  }

  reload() {
    return this.load("Page.reload");
  }

  /** The value of an expression or promise in the page. */
  async evaluate(expression) {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async screenshot() {
    const { data } = await this.call("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data, "base64");
  }

  close() {
    return this.browser.call("Target.closeTarget", { targetId: this.targetId });
  }
}
