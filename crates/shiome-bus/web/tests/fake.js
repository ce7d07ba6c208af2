// A server that says what a test has it say, and time that passes when a test lets it.

import { Peer } from "../shiome.js";

/** Lets all that is due in this task and those that it begins happen. */
export async function tasks() {
  for (let turn = 0; turn < 4; turn += 1) await new Promise(setImmediate);
}

/** Time that stands still. It is that of the whole process until the test ends; timers from before are still those of real time. */
export class Clock {
  #now = 1_000_000;
  #timers = new Map();
  #last = 0;

  constructor(t) {
    t.mock.method(performance, "now", () => this.#now);
    t.mock.method(globalThis, "setTimeout", (call, ms) => {
      this.#last += 1;
      this.#timers.set(this.#last, { at: this.#now + ms, call });
      return this.#last;
    });
    const { clearTimeout } = globalThis;
    t.mock.method(globalThis, "clearTimeout", (id) => this.#timers.delete(id) || clearTimeout(id));
  }

  /** Times from now at which something is due. */
  get due() {
    return [...this.#timers.values()].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!next) break;
      const [id, { at, call }] = next;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, at);
      call();
      await tasks();
    }
    this.#now = end;
  }

  /** Passes without a timer going off, as while a computer sleeps. */
  sleep(ms) {
    this.#now += ms;
  }
}

/** A constructor of sockets, which remembers those that it made. */
export function sockets() {
  return class FakeSocket {
    static all = [];
    readyState = 0;
    sent = [];

    static get last() {
      return FakeSocket.all.at(-1);
    }

    constructor(url, protocol) {
      Object.assign(this, { url, protocol });
      FakeSocket.all.push(this);
    }

    send(text) {
      this.sent.push(text);
    }

    close(code) {
      this.closed = code ?? "without a code";
      this.readyState = 2;
    }

    // -- what the test does

    open() {
      this.readyState = 1;
      this.onopen({});
    }

    say(...frames) {
      this.onmessage({ data: JSON.stringify(frames) });
    }

    raw(data) {
      this.onmessage({ data });
    }

    drop(code = 1006, reason = "") {
      this.readyState = 3;
      this.onclose({ code, reason });
    }

    /** Frames that were sent since the last look. */
    frames(type) {
      const frames = this.sent.splice(0).flatMap((text) => JSON.parse(text));
      return type ? frames.filter((frame) => frame.type === type) : frames;
    }

    /** Opens, and lets the client in. */
    async welcome(more = {}, present = [["bob", 1]]) {
      this.open();
      const [hello] = this.frames("hello");
      const welcome = { type: "welcome", version: 1, id: "relay", incarnation: 1, relay: true, reclaim: "secret", ...more };
      this.say(welcome);
      this.say({ type: "presence", all: true, present });
      await tasks();
      return hello;
    }
  };
}

/** A peer `alice` whose link is up, and its socket. */
export async function connected(t, options = {}, welcome = {}) {
  const Socket = sockets();
  const alice = new Peer("alice", { url: "ws://host/bus", storage: null, WebSocket: Socket, ...options });
  // Not waited for: the time that it would take stands still.
  t.after(() => void alice.close(0).catch(() => {}));
  await tasks();
  const hello = await Socket.last.welcome(welcome);
  return { alice, Socket, hello, socket: Socket.last };
}

let seq = 0;

/** An envelope for alice. */
export function envelope(more = {}) {
  seq += 1;
  return { type: "envelope", id: `1.${seq}`, from: "bob", to: "alice", name: "x", payload: null, ...more };
}
