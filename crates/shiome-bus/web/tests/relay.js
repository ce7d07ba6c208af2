// A Rust relay as a process, and what can happen between it and its clients.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

/** The program `web-testbed`, as `cargo xtask test` has built it. */
export const TESTBED = process.env.SHIOME_WEB_TESTBED;

export class Relay {
  /** Starts one; settings are the arguments of the program. */
  static async start(settings = {}, program = TESTBED) {
    const args = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [url] = await Promise.race([once(lines, "line"), once(child, "exit").then(() => Promise.reject(new Error("no relay")))]);
    return Object.assign(new Relay(), { child, url, port: Number(new URL(url).port), settings, program });
  }

  /** Kills the process, without a goodbye to anybody. */
  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exit;
  }

  /** Another process, which knows nothing of the first; the proxy leads to it. The port of the first is anybody's. */
  async restart(proxy) {
    proxy.refuse(true);
    await this.kill();
    const later = await Relay.start(this.settings, this.program);
    proxy.to(later.port);
    proxy.refuse(false);
    return later;
  }
}

/** Passes connections on, until told otherwise. */
export class Proxy {
  #pairs = new Set();
  #port;
  #server;
  #isRefusing = false;

  static async start(port) {
    const proxy = new Proxy();
    proxy.to(port);
    proxy.#server = createServer((client) => {
      if (proxy.#isRefusing) return void client.destroy();
      const server = connect(proxy.#port, "127.0.0.1");
      const pair = [client, server];
      proxy.#pairs.add(pair);
      client.pipe(server);
      server.pipe(client);
      for (const end of pair) {
        end.on("error", () => {});
        end.on("close", () => {
          proxy.#pairs.delete(pair);
          pair.forEach((other) => other.destroy());
        });
      }
    });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    proxy.url = `ws://127.0.0.1:${proxy.#server.address().port}/bus`;
    return proxy;
  }

  /** Passes new connections on to this port from now on. */
  to(port) {
    this.#port = port;
  }

  /** Breaks all connections. */
  cut() {
    for (const pair of this.#pairs) pair.forEach((end) => end.destroy());
  }

  /** Lets nobody through any longer, or again. */
  refuse(isRefusing) {
    this.#isRefusing = isRefusing;
  }

  /** Passes on nothing that comes from the server, and keeps the connections. */
  swallow() {
    for (const [client, server] of this.#pairs) {
      server.unpipe(client);
      server.resume();
    }
  }

  async stop() {
    this.cut();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}
