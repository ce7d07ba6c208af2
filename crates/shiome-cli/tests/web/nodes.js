// Nodes of `shiome node`, each a process of its own, and what they tell their dashboard.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The binary, as `cargo xtask test` has built it. */
export const SHIOME = process.env.SHIOME_BIN;

export const TOKEN = "the-token-of-the-tests-0123456789";

/** A place for nodes that know the same secret; gone with the test. */
export async function cluster(t) {
  const dir = await mkdtemp(join(tmpdir(), "shiome-nodes-"));
  const nodes = [];
  t.after(async () => {
    await Promise.all(nodes.map((node) => node.kill()));
    await rm(dir, { recursive: true, force: true });
  });
  const file = join(dir, "token");
  await writeFile(file, TOKEN, { mode: 0o600 });
  return {
    token: ["--dashboard-token-file", file],
    busToken: ["--bus-token-file", file],
    admin: `unix:${join(dir, "admin.sock")}`,
    async start(name, ...more) {
      const node = new Node(name, dir, more);
      nodes.push(node);
      await node.listening;
      return node;
    },
  };
}

class Node {
  #child;
  #lines = [];
  #waiting = [];

  constructor(name, dir, more) {
    this.name = `${name}@127.0.0.1`;
    const admin = more.includes("--admin") ? [] : ["--admin", "off"];
    // A busy machine lets a node stand still for a while, which is no failure.
    const args = ["--log", "warn", "node", `${this.name}:0`, ...admin, "--gossip", "--liveness", "60", ...more];
    const env = { PATH: process.env.PATH, SHIOME_COOKIE: "the cookie of the tests", XDG_RUNTIME_DIR: dir };
    this.#child = spawn(SHIOME, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#waiting = this.#waiting.filter((wait) => !wait(line));
    });
    this.exit = once(this.#child, "exit");
    this.listening = this.line(`listening ${this.name} at `).then((line) => {
      this.address = line.split(" at ")[1];
    });
  }

  /** The first line that begins like that, printed or yet to be. */
  line(start) {
    const found = this.#lines.find((line) => line.startsWith(start));
    if (found) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      this.#waiting.push((line) => line.startsWith(start) && (resolve(line), true));
      this.exit.then(() => reject(new Error(`the node has ended; it said:\n${this.#lines.join("\n")}`)));
    });
  }

  async dashboard() {
    return (await this.line("dashboard ")).split(" ")[1];
  }

  async kill() {
    this.#child.kill("SIGKILL");
    await this.exit;
  }
}

/** A command that runs as long as the test; its lines. */
export function runs(t, ...args) {
  // At the end the node goes first, which it would tell.
  const child = spawn(SHIOME, args, { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill("SIGTERM") && once(child, "exit"));
  return createInterface({ input: child.stdout });
}

/** What `watch` shows for the time of that number, from 1. */
export function screen(lines, number) {
  const seen = [];
  return new Promise((found) => lines.on("line", (line) => {
    if (/ {2}(ready|stopping) {2}up /.test(line)) seen.push([]);
    if (seen.length > number) found(seen[number - 1].join("\n").trim());
    seen.at(-1)?.push(line);
  }));
}
