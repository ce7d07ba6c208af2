// A cluster of any size that is not there: the feed of a node, as a server tells it, beside the page of a real one.

import { once } from "node:events";
import { createServer } from "node:http";

/** Numbers by chance that are the same in each run. */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export class Simulated {
  #random = random(7);
  #readers = new Set();
  #number = 0;
  #server;
  #page;

  /** `page` is the answer of a real node: its text, and its headers. */
  constructor(size, page) {
    this.#page = page;
    this.at = Date.now();
    this.names = Array.from({ length: size }, (_, at) => `n${at}@10.0.${at >> 8}.${at & 255}`);
    this.states = this.names.map(() => "alive");
    this.sent = this.names.map(() => 1e6);
  }

  async serve() {
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer({ url }, response) {
    if (url === "/") return response.writeHead(200, this.#page.headers).end(this.#page.text);
    if (!url.startsWith("/v1/feed")) return response.writeHead(404).end("{}");
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    this.#readers.add(response);
    response.on("close", () => this.#readers.delete(response));
    this.#tell("snapshot", this.snapshot(), [response]);
  }

  #tell(event, data, readers = this.#readers) {
    for (const reader of readers) reader.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** A second goes by: all that passes differs from before. */
  tick() {
    this.at += 1000;
    this.sent = this.sent.map((sent) => sent + Math.floor(this.#random() * 1e6));
    this.#tell("snapshot", this.snapshot());
  }

  happens(kind, at, detail) {
    this.#number += 1;
    this.#tell("event", { number: this.#number, at_ms: this.at, kind, node: this.names[at], address: this.#address(at), detail });
  }

  #address(at) {
    return `${this.names[at].split("@")[1]}:4697`;
  }

  snapshot() {
    const there = this.names.map((_, at) => at).filter((at) => this.states[at] !== "gone");
    return {
      at_ms: this.at,
      node: {
        name: this.names[0], version: "0", incarnation: 1, process: 1, uptime_ms: 1000, stopping: false, listening: [this.#address(0)],
        sessions: there.length - 1, max_sessions: 1024, actors: 12, explicit_exposure: false, exported: 0, denied: 0,
        admission: { admitted: 0, authenticated: 0, failed: 0, refused_full: 0, refused_source: 0, refused_penalty: 0 }, kept: [],
      },
      sessions: there.slice(1).map((at) => this.#session(at)),
      peers: this.names.slice(1).map((name, at) => this.#peer(name, at + 1)),
      members: there.map((at) => this.#member(at)),
      gossip: {
        cluster: "simulated", id: "1", incarnation: 1, address: this.#address(0), encrypted: true, members: there.length - 1,
        suspects: 0, backlog: 0, local_health: 0, counts: {},
      },
      refused: {}, ready: true,
    };
  }

  #member(at) {
    return {
      id: String(at), address: this.#address(at), name: this.names[at], state: this.states[at], incarnation: 1, own: at === 0,
      compact: true, node_id: at || null,
    };
  }

  #session(at) {
    const lane = (name) => ({ name, sent: 9, sent_bytes: 900, received: 9, received_bytes: 900, queued: at % 3, queued_bytes: 30 });
    return {
      node_id: at, peer: this.names[at], state: "ready", tier: "native", protocol: 1, capabilities: [], incarnation: 1,
      inbound: at % 2 === 0, address: this.#address(at), dialled_at: this.#address(at), security: "tls", bound: true, age_ms: 1000,
      silence_ms: 10, round_trip_us: 300 + at * 40, round_trip_mean_us: 300 + Math.floor(this.#random() * 20000),
      lanes: ["control", "express", "bulk"].map(lane), queued_bytes: Math.floor(this.#random() * 1e5), credit_bytes: 1e6,
      window_bytes: 1e6, full: false, stalled: false, bytes_in: this.sent[at], bytes_out: this.sent[at] * 2, calls_out: at % 5,
      calls_in: 0, calls_ended: { replied: at }, latency: { count: 1, sum_us: 9, classes: [], p50_us: 100, p99_us: 1000 }, drops: {},
      remote_actors: 3,
    };
  }

  #peer(name, at) {
    return {
      name, connected: this.states[at] !== "gone", sessions: 1, reconnects: 0, last_down: null, last_down_at_ms: null, bytes_in: 0,
      bytes_out: 0, lanes: [], calls_ended: {}, latency: { count: 0, sum_us: 0, classes: [] }, drops: {},
    };
  }
}
