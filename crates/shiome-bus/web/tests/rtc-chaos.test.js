// Two peers in JavaScript, a relay and a network between them, all in one process: whatever befalls the channel, all arrives in order
// and once while the relay works.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Peer } from "../shiome.js";
import { Rtc } from "../rtc.js";

const LATENCY_MS = 3;

/** A relay for two: it passes on, and acknowledges what it passed on. */
class Relay {
  ends = new Map();

  socket() {
    const relay = this;
    return class {
      readyState = 0;

      constructor() {
        setTimeout(() => {
          this.readyState = 1;
          this.onopen?.({});
        }, 1);
      }

      send(text) {
        setTimeout(() => relay.hear(this, JSON.parse(text)), LATENCY_MS);
      }

      close() {
        this.readyState = 3;
        setTimeout(() => this.onclose?.({ code: 1000, reason: "" }), 1);
      }
    };
  }

  say(end, ...frames) {
    setTimeout(() => end.socket.readyState === 1 && end.socket.onmessage({ data: JSON.stringify(frames) }), LATENCY_MS);
  }

  hear(socket, frames) {
    for (const frame of frames) {
      if (frame.type === "hello") {
        socket.end = { id: frame.id, run: frame.incarnation, socket, received: 0 };
        this.ends.set(frame.id, socket.end);
        this.say(socket.end, { type: "welcome", version: 1, id: "relay", incarnation: 1, relay: true, reclaim: "secret" });
        for (const end of this.ends.values()) {
          const present = [...this.ends.values()].filter(({ id }) => id !== end.id).map(({ id, run }) => [id, run]);
          this.say(end, { type: "presence", all: true, present });
        }
      } else if (frame.type === "envelope") {
        socket.end.received += 1;
        this.say(socket.end, { type: "ack", received: socket.end.received });
        const to = this.ends.get(frame.to);
        if (to) this.say(to, { ...frame, hops: (frame.hops ?? 0) + 1 });
      } else if (frame.type === "ping") this.say(socket.end, { type: "pong", nonce: frame.nonce });
    }
  }
}

/** A network: what is said in silence comes after it, as SCTP has it. */
class Network {
  connections = [];
  isSilent = false;
  held = [];

  pass(deliver) {
    if (this.isSilent) this.held.push(deliver);
    else setTimeout(() => (this.isSilent ? this.held.push(deliver) : deliver()), 1);
  }

  silence(isSilent) {
    this.isSilent = isSilent;
    if (!isSilent) for (const deliver of this.held.splice(0)) deliver();
  }

  connection() {
    const network = this;
    return class Connection {
      channels = [];
      iceConnectionState = "new";
      signalingState = "stable";
      localDescription = null;
      remoteDescription = null;
      number = network.connections.push(this) - 1;

      createDataChannel(label) {
        const channel = new Channel(network, label);
        this.channels.push(channel);
        return channel;
      }

      async createOffer() {
        return { type: "offer", sdp: `v=0 ${this.number}` };
      }

      async createAnswer() {
        return { type: "answer", sdp: `v=0 ${this.number}` };
      }

      async setLocalDescription(description) {
        this.localDescription = description;
        this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
        this.#meet();
      }

      async setRemoteDescription(description) {
        this.remoteDescription = description;
        this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
        this.#meet();
      }

      async addIceCandidate() {}

      /** Channels open once both know of each other. */
      #meet() {
        const other = network.connections[Number(this.remoteDescription?.sdp.split(" ")[1])];
        const knows = (one) => one?.remoteDescription && one.localDescription && one.signalingState === "stable" && !one.isClosed;
        if (!knows(this) || !knows(other)) return;
        network.pass(() => {
          if (this.isClosed || other.isClosed || this.isOpen) return;
          const [offers, answers] = this.channels.length > 0 ? [this, other] : [other, this];
          [offers.isOpen, answers.isOpen] = [true, true];
          for (const channel of offers.channels) {
            const theirs = new Channel(network, channel.label);
            [channel.other, theirs.other] = [theirs, channel];
            answers.channels.push(theirs);
            theirs.readyState = "open";
            answers.ondatachannel({ channel: theirs });
          }
          for (const channel of offers.channels) {
            channel.readyState = "open";
            channel.onopen?.({});
          }
        });
      }

      close() {
        this.isClosed = true;
        for (const channel of this.channels) {
          channel.readyState = "closed";
          const { other } = channel;
          network.pass(() => {
            if (!other || other.readyState !== "open") return;
            other.readyState = "closed";
            other.onclose?.({});
          });
        }
      }
    };
  }
}

class Channel {
  readyState = "connecting";
  bufferedAmount = 0;

  constructor(network, label) {
    Object.assign(this, { network, label });
  }

  send(bytes) {
    const data = bytes.slice().buffer;
    this.bufferedAmount += data.byteLength;
    this.network.pass(() => {
      const before = this.bufferedAmount;
      this.bufferedAmount -= data.byteLength;
      if (before > this.bufferedAmountLowThreshold && this.bufferedAmount <= this.bufferedAmountLowThreshold) this.onbufferedamountlow?.();
      if (this.other.readyState === "open") this.other.onmessage?.({ data });
    });
  }
}

/** Numbers from a seed. */
function random(seed) {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const pause = (ms) => new Promise((next) => setTimeout(next, ms));

for (const seed of [1, 2, 3]) {
  test(`whatever befalls the channel, all arrives in order and once: ${seed}`, { timeout: 60_000 }, async (t) => {
    const [relay, network, below] = [new Relay(), new Network(), random(seed)];
    const ends = ["alice", "bob"].map((id) => {
      const peer = new Peer(id, { url: "ws://host/bus", storage: null, WebSocket: relay.socket() });
      const rtc = new Rtc(peer, { RTCPeerConnection: network.connection(), heartbeatMs: 100, admit: () => true });
      const heard = [];
      peer.on("number", ({ payload }) => void heard.push(payload));
      const told = [];
      rtc.onPath(({ path, reason, detail }) => told.push(`${path} ${reason ?? ""} ${detail ?? ""}`));
      t.after(async () => {
        rtc.close();
        await peer.close(0).catch(() => {});
      });
      return { id, peer, rtc, heard, told };
    });
    const [alice, bob] = ends;
    await Promise.all([alice.peer.connected(), bob.peer.connected()]);
    await Promise.all([alice.peer.waitFor("bob"), bob.peer.waitFor("alice")]);
    let [count, next] = [0, 0];
    const end = performance.now() + 8_000;
    while (performance.now() < end) {
      for (let burst = 1 + below(20); burst > 0; burst -= 1) {
        await alice.peer.send("bob", "number", count);
        await bob.peer.send("alice", "number", count);
        count += 1;
      }
      await pause(1 + below(8));
      if (performance.now() < next) continue;
      next = performance.now() + 5 + below(500);
      const [one, other] = below(2) === 0 ? [alice, bob] : [bob, alice];
      switch (below(8)) {
        case 0: case 1: case 2: one.rtc.connect(other.id); break;
        case 3: one.rtc.disconnect(other.id); break;
        case 4: one.rtc.disconnect(other.id); one.rtc.connect(other.id); break;
        case 5: case 6: network.silence(true); break;
        default: network.silence(false);
      }
    }
    network.silence(false);
    alice.rtc.connect("bob");
    for (let turn = 0; turn < 300 && (alice.heard.length < count || bob.heard.length < count); turn += 1) await pause(20);
    for (const { id, heard, told, peer } of ends) {
      const wrong = heard.findIndex((number, at) => number !== at);
      assert.equal(wrong, -1, `${id}: ${heard.slice(Math.max(wrong - 3, 0), wrong + 4)} dropped ${peer.bus.dropped()} ${told.join(", ")}`);
      assert.equal(heard.length, count, `${id}: dropped ${peer.bus.dropped()} ${told.join(", ")}`);
      assert.ok(told.some((what) => what.startsWith("direct")));
      assert.ok(!told.some((what) => what.includes("malformed")), told.join(", "));
    }
  });
}
