// A connection of WebRTC that does what a test has it do, and the end of another peer behind a relay that is one, too.

import { Rtc } from "../rtc.js";
import { connected, tasks } from "./fake.js";

/** A constructor of connections, which remembers those that it made. */
export function connections() {
  return class FakeConnection {
    static all = [];
    channels = [];
    candidates = [];
    iceConnectionState = "new";
    signalingState = "stable";
    localDescription = null;
    remoteDescription = null;

    static get last() {
      return FakeConnection.all.at(-1);
    }

    constructor() {
      FakeConnection.all.push(this);
    }

    createDataChannel(label) {
      const channel = new FakeChannel(label);
      this.channels.push(channel);
      return channel;
    }

    async createOffer() {
      return { type: "offer", sdp: "v=0" };
    }

    async createAnswer() {
      return { type: "answer", sdp: "v=0" };
    }

    async setLocalDescription(description) {
      this.localDescription = description;
      this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
    }

    async setRemoteDescription(description) {
      this.remoteDescription = description;
      this.signalingState = description.type === "answer" ? "stable" : "have-remote-offer";
    }

    async addIceCandidate(candidate) {
      this.candidates.push(candidate);
    }

    close() {
      this.isClosed = true;
    }

    // -- what the test does

    get main() {
      return this.channels.find(({ label }) => label === "shiome");
    }

    open() {
      for (const channel of this.channels) channel.open();
    }
  };
}

class FakeChannel {
  readyState = "connecting";
  bufferedAmount = 0;
  sent = [];

  constructor(label) {
    this.label = label;
  }

  send(bytes) {
    this.sent.push(bytes);
  }

  open() {
    this.readyState = "open";
    this.onopen?.({});
  }

  /** Says something in one piece. */
  say(...frames) {
    const text = new TextEncoder().encode(JSON.stringify(frames));
    const bytes = new Uint8Array(text.length + 1);
    bytes[0] = 3;
    bytes.set(text, 1);
    this.onmessage({ data: bytes.buffer });
  }

  /** Frames that were sent in one piece since the last look. */
  frames(type) {
    const frames = this.sent.splice(0).flatMap((bytes) => JSON.parse(new TextDecoder().decode(bytes.subarray(1))));
    return type ? frames.filter((frame) => frame.type === type) : frames;
  }
}

let seq = 1_000_000;

/** Alice in JavaScript, and Bob, who answers what she signals. */
export class Stage {
  static async open(t, options = {}, welcome = {}) {
    const RTCPeerConnection = connections();
    const stage = Object.assign(new Stage(), await connected(t, {}, welcome), { RTCPeerConnection });
    stage.rtc = new Rtc(stage.alice, { RTCPeerConnection, heartbeatMs: 1000, admit: () => true, ...options });
    stage.told = [];
    stage.rtc.onPath((path) => stage.told.push(path));
    t.after(() => stage.rtc.close());
    return stage;
  }

  get connection() {
    return this.RTCPeerConnection.last;
  }

  /** Bob says something over the relay. */
  say(name, payload, more = {}) {
    seq += 1;
    this.socket.say({ type: "envelope", id: `1.${seq}`, from: "bob", to: "alice", name, payload, priority: "system", ...more });
  }

  /** What came over the relay since the last look, answered where somebody waits for it unless it is a `switch` that is kept. */
  async answer({ keep = false } = {}) {
    await tasks();
    const envelopes = this.socket.frames("envelope");
    this.received = (this.received ?? 0) + envelopes.length;
    if (envelopes.length > 0) this.socket.say({ type: "ack", received: this.received });
    this.kept = [];
    for (const envelope of envelopes) {
      if (envelope.name === "sys.rtc.offer") {
        this.session = envelope.payload.session;
        this.say("sys.handled", null, { reply_to: envelope.id });
      } else if (envelope.name === "sys.rtc.switch") {
        if (keep) this.kept.push(envelope.id);
        else this.say("sys.ack", null, { reply_to: envelope.id });
      }
    }
    await tasks();
    return envelopes;
  }

  /** Bob offers or answers, each time with another name in ICE, as one who looks for a way anew. */
  describe(name) {
    const { session } = this;
    seq += 1;
    const sdp = `v=0\r\na=ice-ufrag:n${seq}\r\n`;
    this.say(name, { version: 1, session, sdp, incarnation: 1, encodings: ["json"], heartbeat_ms: 1000 });
  }

  /** Alice calls, and both channels open. */
  async direct() {
    this.rtc.connect("bob");
    await this.answer();
    this.describe("sys.rtc.answer");
    await tasks();
    this.connection.open();
    await this.answer();
    await this.answer();
  }
}
