// Direct connections between peers of the shiome bus: WebRTC data channels, signalled over the link that there is.
//
//     import { Peer } from "./shiome.js";
//     import { Rtc } from "./rtc.js";
//
//     const alice = new Peer("alice", { url: "wss://example.org/bus" });
//     const rtc = new Rtc(alice, { admit: () => true });
//     rtc.onPath(({ id, path, reason }) => console.log(id, path, reason ?? ""));
//     rtc.connect("bob");
//     await alice.send("bob", "chat.message", { text: "hello" });
//
// `send` and `on` stay as they are: what is sent goes over the relay until the channel is open, then over that, and over the relay
// again when it is lost, in order and once. What goes over the wire is section 13.13 of docs/PROTOCOL.md.

import { parts } from "./shiome.js";

const { ACK_DELAY_MS, ACK_ENVELOPES, ACK_LEN, BATCH_LEN, INBOUND_PATIENCE_MS, MAX_FRAMES, MAX_MESSAGE_LEN } = parts;
const { MIN_MAX_MESSAGE_LEN, QUEUE_BYTES, QUEUE_FRAMES } = parts;
const { Fifo, Malformed, Outbox, Signal, Waiters } = parts;
const { checkOptions, checkPeerId, decode, encodeEnvelope, envelopeOf, fail, has, isAwaited, isCount, isFlag, isTime } = parts;
const { lenOf, must, nodeOf, now, numberIn, report, soon, textIn, textOfIntent, unchecked } = parts;

const VERSION = 1;
/** Labels of the two channels: the second loses and reorders rather than wait, and is for programs that are no pages. */
const MAIN = "shiome";
const LOOSE = "shiome-loose";
/** Bytes of a piece of a message, with its head. */
const CHUNK_LEN = 16 * 1024;
const [FIRST, LAST, BINARY] = [1, 2, 4];
/** Bytes that wait in the channel: browsers close it when it is too much. */
const BUFFER_LEN = 256 * 1024;
const BUFFER_LOW = 64 * 1024;
const MAX_SDP_LEN = 16 * 1024;
const MAX_CANDIDATE_LEN = 512;
const MAX_CANDIDATES = 64;
const MAX_EARLY = 64;
const MAX_REASON_LEN = 1024;
const CONNECT_TIMEOUT_MS = 15_000;
const HEARTBEAT_MS = 5_000;
const [LEAST_HEARTBEAT_MS, LONGEST_HEARTBEAT_MS] = [100, 25_000];
/** Time for a lost connection to come back. */
const RESTART_TIMEOUT_MS = 10_000;
/** Time for what is under way over the relay to arrive, before what is held back goes after it. */
const SWITCH_TIMEOUT_MS = [60_000, 240_000];
/** Time until a description that was not said is said again. */
const SAY_AGAIN_MS = 1_000;
const RETRY_MS = [2_000, 60_000];
/** Time until a queue that was full is asked for room again. */
const FULL_RETRY_MS = 50;
const MAX_CONNECTIONS = 256;
/** Bytes of an acknowledgement and what parts it from others. */
const LONGEST_ACK_LEN = 64;
/** Bytes of messages that may wait for a mailbox. */
const MAX_WAITING = 2 * QUEUE_BYTES + 16 * 1024 * 1024;
/** After these another attempt ends as the first. */
const FINAL = ["refused", "unsupported", "malformed", "limit"];

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** The relay, or whatever else a node has. */
function otherWay(node, to) {
  const { link } = node;
  if (!link) throw fail.nodeNotFound(to);
  return { link };
}

// ---------------------------------------------------------------------------------------------------------------- pieces

/** The pieces of a message of JSON. */
function* split(text) {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length < CHUNK_LEN) return yield piece(FIRST | LAST, bytes);
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, bytes.length);
  let at = CHUNK_LEN - 5;
  yield piece(FIRST, head, bytes.subarray(0, at));
  while (at < bytes.length) {
    const end = Math.min(at + CHUNK_LEN - 1, bytes.length);
    yield piece(end === bytes.length ? LAST : 0, bytes.subarray(at, end));
    at = end;
  }
}

function piece(flags, ...bodies) {
  const out = new Uint8Array(1 + bodies.reduce((sum, body) => sum + body.length, 0));
  out[0] = flags;
  let at = 1;
  for (const body of bodies) {
    out.set(body, at);
    at += body.length;
  }
  return out;
}

/** Puts messages together again. Takes no more room than has come. */
class Joiner {
  #bodies = [];
  #len = 0;
  #wanted = 0;

  /** The text of a message, if this was the last piece of it. */
  push(data) {
    must(data instanceof ArrayBuffer && data.byteLength > 0 && data.byteLength <= CHUNK_LEN, "no piece");
    const bytes = new Uint8Array(data);
    const flags = bytes[0];
    // Peers are told that only JSON is understood here.
    must((flags & ~(FIRST | LAST)) === 0, (flags & BINARY) === BINARY ? "binary" : "flags");
    must(((flags & FIRST) !== 0) === (this.#wanted === 0), "a piece that does not follow the one before");
    const isLast = (flags & LAST) !== 0;
    if (flags === (FIRST | LAST)) return this.#text([bytes.subarray(1)], bytes.length - 1);
    let body = bytes.subarray(1);
    if ((flags & FIRST) !== 0) {
      must(body.length >= 4, "no piece");
      this.#wanted = new DataView(data).getUint32(1);
      must(this.#wanted > 0 && this.#wanted <= MAX_MESSAGE_LEN, "a message is longer than agreed");
      body = body.subarray(4);
    }
    this.#len += body.length;
    must(this.#len <= this.#wanted && isLast === (this.#len === this.#wanted), "a message of another length than it said");
    must(body.length > 0 || (flags & FIRST) !== 0, "an empty piece");
    this.#bodies.push(body);
    if (!isLast) return undefined;
    const [bodies, len] = [this.#bodies, this.#len];
    [this.#bodies, this.#len, this.#wanted] = [[], 0, 0];
    return this.#text(bodies, len);
  }

  #text(bodies, len) {
    const all = new Uint8Array(len);
    let at = 0;
    for (const body of bodies) {
      all.set(body, at);
      at += body.length;
    }
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(all);
    } catch {
      throw new Malformed("no UTF-8");
    }
  }
}

// -------------------------------------------------------------------------------------------------------------- signals

/** What a description must be. */
function readDescription(payload) {
  must(payload !== null && typeof payload === "object", "no description");
  const version = numberIn(payload, "version");
  must(version >= 1 && version <= VERSION, "version");
  const sdp = textIn(payload, "sdp");
  must(sdp.length <= MAX_SDP_LEN, "sdp");
  const maxMessage = numberIn(payload, "max_message", MAX_MESSAGE_LEN);
  must(maxMessage >= MIN_MAX_MESSAGE_LEN, "max_message");
  return {
    sdp,
    incarnation: numberIn(payload, "incarnation"),
    maxMessage,
    heartbeatMs: numberIn(payload, "heartbeat_ms", HEARTBEAT_MS),
  };
}

function readSession(payload) {
  must(payload !== null && typeof payload === "object", "no signal");
  const session = textIn(payload, "session");
  must(/^[A-Za-z0-9]{1,64}$/.test(session), "session");
  return session;
}

function randomSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// ------------------------------------------------------------------------------------------------------------------ link

/**
 * The link to one peer, over all the channels that it takes.
 *
 *     relayed ── channel open ──► held ── nothing is under way over the relay ──► direct
 *        ▲                         │                                                │
 *        └── all is under way ── diverting ◄── channel lost ────────────────────────┘
 */
class DirectLink {
  kind = "webrtc";
  isGateway = false;
  peers = new Map();
  waiters = new Waiters();
  outbox = new Outbox(QUEUE_FRAMES, QUEUE_BYTES);
  error = undefined;
  #phase = "relayed";
  /** The connection whose channel it is. */
  #owner;
  #maxMessage = MAX_MESSAGE_LEN;
  #taken = 0;
  #acknowledged = 0;
  #newsLen = 0;
  #ackTimer;
  #inbound = new Fifo();
  #waitingLen = 0;
  #patience;
  #flushed = new Waiters();
  /** What waits to go over the relay, and whether the channel is there if that is not. */
  #rest = [];
  #isPatient = false;

  constructor(node, remote) {
    Object.assign(this, { node, remote });
  }

  get isUp() {
    return this.#phase === "held" || this.#phase === "direct" || this.#phase === "diverting";
  }

  get state() {
    return this.isUp ? "up" : this.#phase === "closed" ? "closed" : "connecting";
  }

  get queued() {
    return this.outbox.length;
  }

  reaches(id) {
    return id === this.remote && this.isUp;
  }

  notUp(to) {
    return this.isUp ? undefined : fail.notConnected(to, this.error);
  }

  localPeer() {}

  // -- sending

  offer(envelope) {
    // The other end takes them from no other peer.
    if (!this.isUp || envelope.from !== this.node.id) return otherWay(this.node, envelope.to).link.offer(envelope);
    return this.push(envelope);
  }

  push(envelope) {
    if (!this.isUp) return otherWay(this.node, envelope.to).link.push(envelope);
    const text = encodeEnvelope(envelope);
    const len = lenOf(text) + 2;
    if (len > this.#maxMessage) {
      const payload = lenOf(textOfIntent(envelope.intent));
      throw fail.tooLarge(payload, Math.max(this.#maxMessage - (len - payload), 0));
    }
    const pushed = this.outbox.push({ envelope, text, len });
    if (pushed) this.#owner?.writeSoon();
    return pushed;
  }

  /** The next message, up to the length of a batch. A longer envelope goes alone. */
  message() {
    if (this.#phase !== "direct") return undefined;
    const frames = [];
    let len = 1;
    const limit = Math.min(BATCH_LEN, this.#maxMessage);
    while (frames.length < MAX_FRAMES - 1) {
      const text = this.outbox.next(frames.length === 0 ? Infinity : limit - len);
      if (text === undefined) break;
      frames.push(text);
      len += lenOf(text) + 1;
    }
    if (frames.length === 0) return undefined;
    if (this.hasNews && len + LONGEST_ACK_LEN <= this.#maxMessage) frames.push(this.ack());
    return `[${frames.join(",")}]`;
  }

  /** Whether something was taken that is not acknowledged. */
  get hasNews() {
    return this.#taken > this.#acknowledged;
  }

  /** The acknowledgement of all that was taken. */
  ack() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    [this.#acknowledged, this.#newsLen] = [this.#taken, 0];
    return `{"type":"ack","received":${this.#taken}}`;
  }

  acknowledge(received) {
    this.outbox.acknowledge(received);
    this.waiters.admit();
    this.#flushed.admit();
  }

  // -- from one way to the other

  /** The channel of a connection is open; envelopes wait until what was sent over the relay has arrived. */
  hold(owner, remote) {
    if (this.#phase === "closed") return;
    if (this.#owner !== owner) {
      [this.#taken, this.#acknowledged, this.#newsLen] = [0, 0, 0];
      this.outbox.restart(Infinity);
    }
    [this.#owner, this.#phase, this.#maxMessage, this.error] = [owner, "held", remote.maxMessage, undefined];
    const waiting = this.#rest.splice(0);
    if (waiting.length > 0) {
      waiting.push(...this.outbox.drain());
      // There was room for them before.
      [this.outbox.frames, this.outbox.bytes] = [Infinity, Infinity];
      waiting.forEach((envelope) => this.push(envelope));
      [this.outbox.frames, this.outbox.bytes] = [QUEUE_FRAMES, QUEUE_BYTES];
    }
    // Who waits for the relay in its turn finds that it is not wanted.
    this.node.link?.waiters.admit();
    this.peers = new Map([[this.remote, remote.incarnation]]);
    this.waiters.admit();
  }

  goDirect() {
    if (this.#phase !== "held") return false;
    this.#phase = "direct";
    this.#owner?.writeSoon();
    return true;
  }

  /** What the channel had, and what waits, goes over the relay, as long as there is one, or as it takes. */
  async divert(isPatient = false) {
    if (!isPatient) this.#isPatient = false;
    if (this.#phase !== "held" && this.#phase !== "direct") return;
    [this.#phase, this.#isPatient] = ["diverting", isPatient];
    const isOver = () => this.#phase !== "diverting";
    this.#rest.push(...this.outbox.drain());
    while (!isOver()) {
      if (this.#rest.length === 0) this.#rest = this.outbox.drain();
      const [envelope] = this.#rest;
      if (!envelope) break;
      const { error, isLate } = await this.#sendOn(envelope, isOver);
      if (isOver()) break;
      // What the relay does not take whatever the time, it never takes.
      if (isLate && (this.#isPatient || this.node.link?.isUp)) continue;
      this.#rest.shift();
      if (error) this.#bury(envelope, error);
      this.#flushed.admit();
    }
    if (isOver()) return;
    this.#phase = "relayed";
    this.peers = new Map();
    this.waiters.admit();
    this.#flushed.admit();
    if (!this.node.link?.isUp) this.node.failPending((entry) => entry.link === this, fail.notConnected);
  }

  /** Waits until the relay takes it, or the channel is to take it after all; else why not, and whether that is for want of time. */
  async #sendOn(envelope, isOver) {
    const link = this.node.link;
    const attempt = () => isOver() || (link?.isUp && link.push(envelope)) || undefined;
    const late = fail.notConnected(this.remote);
    try {
      if (!attempt()) await (link?.waiters ?? this.waiters).wait(attempt, RESTART_TIMEOUT_MS, () => late);
      return {};
    } catch (error) {
      return { error, isLate: error === late };
    }
  }

  /** It goes no way: it is a dead letter, and who waits for an answer is told. */
  #bury(envelope, error) {
    this.node.core.failed(envelope, error);
    this.node.pending.get(envelope.id)?.resolve({ error });
  }

  // -- hearing

  /** An envelope: whether it may come in, and whether it is new. One that may be lost is not counted. */
  take(envelope, len, isCounted) {
    const { core } = this.node;
    const { from, replyTo, intent } = envelope;
    const done = () => isCounted && this.#count(len);
    const refused = () => {
      if (from !== this.remote) return core.drops.trace(envelope, core.nodes.has(from) ? "echo" : "forged");
      const payload = len > core.maxPayload ? lenOf(textOfIntent(intent)) : 0;
      if (payload > core.maxPayload) return core.refuse(envelope, this, fail.tooLarge(payload, core.maxPayload));
      if (!core.seen.first(envelope)) return core.drops.trace(envelope, "duplicate");
      if (replyTo !== undefined) return void this.#deliver(envelope);
      return true;
    };
    if (refused() !== true) return done();
    if (!isCounted && this.#inbound.length > 0) return core.drops.trace(envelope, "queue_full");
    this.#waitingLen += len;
    if (this.#waitingLen > MAX_WAITING) {
      this.#waitingLen -= len;
      return this.#owner?.fail("overload");
    }
    this.#inbound.push({ envelope, len, owner: isCounted ? this.#owner : undefined });
    this.deliverHeld();
  }

  deliverHeld() {
    while (this.#inbound.length > 0) {
      if (!this.#deliver(this.#inbound.at(0).envelope)) {
        this.node.core.holding.add(this);
        this.#patience ??= setTimeout(() => this.#impatient(), INBOUND_PATIENCE_MS);
        return;
      }
      this.#shift();
    }
    this.node.core.holding.delete(this);
  }

  #shift() {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    const { envelope, len, owner } = this.#inbound.shift();
    this.#waitingLen -= len;
    if (owner !== undefined && owner === this.#owner) this.#count(len);
    return envelope;
  }

  /** A mailbox had no room for too long, or the page stood still: then a handler has a turn to end, and its peer one to go on. */
  #impatient() {
    const held = this.#inbound.at(0);
    const judge = () => this.#inbound.at(0) === held && this.#patience !== undefined && this.#dropHeld();
    soon(() => soon(judge));
  }

  #dropHeld() {
    const envelope = this.#shift();
    this.node.core.refuse(envelope, this, fail.queueFull(envelope.to));
    this.deliverHeld();
  }

  #deliver(envelope) {
    const { core } = this.node;
    const node = core.nodes.get(envelope.to);
    try {
      if (!node) throw fail.nodeNotFound(envelope.to);
      if (!node.accept(envelope, this)) return false;
      if (envelope.level === "received" && isAwaited(envelope)) core.answer(envelope, this, "sys.ack", "received");
    } catch (error) {
      core.refuse(envelope, this, error);
    }
    return true;
  }

  /** One was taken: that is said soon. */
  #count(len) {
    this.#taken += 1;
    this.#newsLen += len;
    const isMuch = this.#taken - this.#acknowledged >= ACK_ENVELOPES || this.#newsLen >= ACK_LEN;
    if (isMuch) this.#owner?.say(this.ack());
    else this.#ackTimer ??= setTimeout(() => this.#owner?.say(this.ack()), ACK_DELAY_MS);
  }

  // -- the end

  async close(deadlineMs) {
    const isEmpty = () => this.outbox.length === 0 && this.#rest.length === 0;
    const left = () => (isEmpty() || !this.isUp ? true : undefined);
    const late = () => fail.timeout(this.node.id, deadlineMs);
    try {
      if (!left()) await this.#flushed.wait(left, deadlineMs, late);
    } finally {
      this.end();
    }
  }

  end() {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    clearTimeout(this.#ackTimer);
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.node.core.holding.delete(this);
    const owner = this.#owner;
    this.#owner = undefined;
    owner?.end("closed");
    for (const envelope of [...this.#rest.splice(0), ...this.outbox.drain()]) this.node.core.drops.trace(envelope, "not_connected");
    this.waiters.admit();
    this.#flushed.admit();
    if (this.node.direct.get(this.remote) === this) this.node.direct.delete(this.remote);
    this.node.failPending((entry) => entry.link === this, fail.notConnected);
  }
}

// ------------------------------------------------------------------------------------------------------------ connection

/** One attempt to reach a peer directly, and what comes of it. */
class Connection {
  phase = "connecting";
  session;
  isOffering;
  isAnswered = false;
  /** Which life of the other end was there when it began, as far as is known. */
  life;
  wasDirect = false;
  #rtc;
  #link;
  #pc;
  #main;
  #loose;
  #remote;
  #joiner = new Joiner();
  #pieces = new Fifo();
  #timers = {};
  #isWriting = false;
  #heard = now();
  #asked;
  #pings = 0;
  #switches = 0;
  #heartbeatMs;
  /** Those of one description, and its name in ICE: another looks for a way anew. */
  #remoteCandidates = 0;
  #ufrag;
  #localCandidates = 0;
  #isSettled = { local: false, remote: false };
  #early = [];
  #turnError;
  #wasReached = false;
  /** Signals go one after the other, and what is done with descriptions, too. */
  #saying = Promise.resolve();
  #doing = Promise.resolve();

  constructor(rtc, link, session, isOffering) {
    Object.assign(this, { session, isOffering });
    [this.#rtc, this.#link, this.#heartbeatMs] = [rtc, link, rtc.options.heartbeatMs];
    this.life = link.node.link?.peers.get(link.remote);
    const { iceServers, relayOnly } = rtc.options;
    this.#pc = new rtc.options.RTCPeerConnection({ iceServers, iceTransportPolicy: relayOnly ? "relay" : "all" });
    this.#pc.onicecandidate = ({ candidate }) => this.#found(candidate);
    this.#pc.onicecandidateerror = ({ errorCode, url = "turn:" }) => {
      if (!url.startsWith("turn")) return;
      if (errorCode >= 300 && errorCode < 700) this.#turnError = "turn-refused";
      else this.#turnError ??= "turn-unreachable";
    };
    this.#pc.oniceconnectionstatechange = () => this.#iceChanged();
    this.#pc.ondatachannel = ({ channel }) => this.#adopt(channel);
    this.#timers.connect = setTimeout(() => this.fail(this.#diagnosis()), rtc.options.connectTimeoutMs);
  }

  get remote() {
    return this.#link.remote;
  }

  // -- signalling

  /** Says something to the other end, over the relay. */
  #signal(name, payload, level) {
    const { node } = this.#link;
    const say = async () => {
      const options = { level, priority: "system" };
      const id = `${node.incarnation}.${node.nextSeq()}`;
      const intent = unchecked(`sys.rtc.${name}`, { session: this.session, ...payload });
      const envelope = envelopeOf(id, node.id, this.remote, intent, options);
      const way = otherWay(node, this.remote);
      if (level === undefined) await node.handOver(envelope, way);
      else await node.ask(envelope, way, this.#rtc.options.connectTimeoutMs);
    };
    this.#saying = this.#saying.then(say);
    return this.#saying;
  }

  #describe(name, sdp) {
    const payload = {
      version: VERSION,
      sdp,
      incarnation: this.#link.node.incarnation,
      encodings: ["json"],
      max_message: MAX_MESSAGE_LEN,
      heartbeat_ms: Math.round(this.#heartbeatMs),
    };
    const unsaid = (error) => {
      this.#saying = Promise.resolve();
      if (this.#remote === undefined && this.phase === "connecting") this.fail(...reasonOf(error));
      // A way that is lost is looked for as soon as that can be said, unless there is something newer to say.
      const again = () => this.phase === "lost" && sdp === this.#pc.localDescription.sdp && this.#describe(name, sdp);
      if (this.phase === "lost") this.#timers.again = setTimeout(again, SAY_AGAIN_MS);
    };
    this.#signal(name, payload, name === "offer" ? "handled" : undefined).catch(unsaid);
  }

  /** Does things with descriptions in turn. */
  #do(what) {
    this.#doing = this.#doing.then(async () => {
      try {
        if (this.phase !== "ended") await what();
      } catch (error) {
        this.fail("malformed", String(error?.message ?? error));
      }
    });
  }

  offer(options) {
    if (!this.#main) {
      this.#adopt(this.#pc.createDataChannel(MAIN));
      this.#adopt(this.#pc.createDataChannel(LOOSE, { ordered: false, maxRetransmits: 0 }));
    }
    this.#do(async () => {
      await this.#pc.setLocalDescription(await this.#pc.createOffer(options));
      this.#describe("offer", this.#pc.localDescription.sdp);
    });
  }

  /** An offer came: the first, or one to look for a way anew. */
  takeOffer(description) {
    this.#do(async () => {
      must(!this.isOffering, "an offer of who answered");
      this.#terms(description);
      await this.#pc.setRemoteDescription({ type: "offer", sdp: description.sdp });
      this.#described(description.sdp);
      await this.#pc.setLocalDescription(await this.#pc.createAnswer());
      this.#describe("answer", this.#pc.localDescription.sdp);
    });
  }

  takeAnswer(description) {
    this.#do(async () => {
      if (this.#pc.signalingState !== "have-local-offer") return;
      this.isAnswered = true;
      this.#terms(description);
      await this.#pc.setRemoteDescription({ type: "answer", sdp: description.sdp });
      this.#described(description.sdp);
    });
  }

  #terms(description) {
    this.#remote ??= description;
    this.#heartbeatMs = Math.min(this.#heartbeatMs, clamp(description.heartbeatMs, LEAST_HEARTBEAT_MS, LONGEST_HEARTBEAT_MS));
  }

  #described(sdp) {
    const ufrag = /^a=ice-ufrag:(\S*)/m.exec(sdp)?.[1];
    if (ufrag !== this.#ufrag) [this.#ufrag, this.#remoteCandidates] = [ufrag, this.#early.length];
    this.#remoteCandidates += sdp.split("\n").filter((line) => line.startsWith("a=candidate:")).length;
    for (const candidate of this.#early.splice(0)) this.#add(candidate);
  }

  takeCandidate(payload) {
    if (!has(payload.candidate) || payload.candidate === "") {
      this.#isSettled.remote = true;
      return;
    }
    must(typeof payload.candidate === "string" && payload.candidate.length <= MAX_CANDIDATE_LEN, "candidate");
    this.#remoteCandidates += 1;
    if (this.#remoteCandidates > MAX_CANDIDATES) return;
    if (this.#pc.remoteDescription) this.#add(payload.candidate);
    else this.#early.push(payload.candidate);
  }

  #add(candidate) {
    // One that cannot be is one less to try.
    this.#pc.addIceCandidate({ candidate, sdpMLineIndex: 0 }).catch(() => {});
  }

  #found(candidate) {
    if (this.phase === "ended") return;
    if (!candidate || candidate.candidate === "") {
      this.#isSettled.local = true;
      if (this.#rtc.options.relayOnly && this.#localCandidates === 0) return this.fail(this.#diagnosis());
    } else this.#localCandidates += 1;
    this.#signal("candidate", { candidate: candidate?.candidate || undefined }).catch(() => {
      this.#saying = Promise.resolve();
    });
  }

  // -- how it is

  #diagnosis() {
    if (this.#remote === undefined) return "no-answer";
    if (this.#wasReached) return "timeout";
    const none = this.#localCandidates === 0 || this.#remoteCandidates === 0;
    return this.#turnError ?? (none ? "no-candidates" : "checks-failed");
  }

  #iceChanged() {
    const state = this.#pc.iceConnectionState;
    if (state === "connected" || state === "completed") {
      this.#wasReached = true;
      if (this.phase === "lost") this.say('{"type":"ping","nonce":0}');
    } else if (state === "failed") {
      if (this.phase === "connecting") this.fail(this.#diagnosis());
      else this.#lose();
    } else if (state === "closed") this.fail("closed");
  }

  #adopt(channel) {
    channel.binaryType = "arraybuffer";
    if (channel.label === LOOSE && !this.#loose) {
      this.#loose = channel;
      channel.onmessage = ({ data }) => this.#hear(data, new Joiner());
    } else if (channel.label === MAIN && !this.#main) {
      this.#main = channel;
      channel.bufferedAmountLowThreshold = BUFFER_LOW;
      channel.onbufferedamountlow = () => this.#write();
      channel.onmessage = ({ data }) => this.#hear(data, this.#joiner);
      channel.onclose = () => this.fail("closed");
    } else return this.fail("malformed", "a channel that is none of ours");
    channel.onopen = () => this.#opened();
    this.#opened();
  }

  #opened() {
    const areOpen = this.#main?.readyState === "open" && this.#loose?.readyState === "open";
    if (areOpen && this.phase === "connecting") this.#up();
  }

  #up() {
    clearTimeout(this.#timers.connect);
    clearTimeout(this.#timers.restart);
    [this.phase, this.#heard, this.#asked] = ["up", now(), undefined];
    this.#beatLater();
    this.#link.hold(this, this.#remote);
    this.#switch();
  }

  /** When this is answered all that was sent over the relay before has arrived. What was asked before a loss says nothing after it. */
  async #switch(patience = SWITCH_TIMEOUT_MS[0]) {
    const { node } = this.#link;
    this.#switches += 1;
    const own = this.#switches;
    const arrive = async (priority) => {
      const intent = unchecked("sys.rtc.switch", { session: this.session });
      const id = `${node.incarnation}.${node.nextSeq()}`;
      const envelope = envelopeOf(id, node.id, this.remote, intent, { level: "received", priority });
      try {
        await node.ask(envelope, otherWay(node, this.remote), patience);
      } catch (error) {
        // Without another way there is nothing to wait for.
        return ["Timeout", "QueueFull"].includes(error?.code) ? error.code : "arrived";
      }
      return "arrived";
    };
    const arrived = await Promise.all([arrive("normal"), arrive("bulk")]);
    const isOver = () => own !== this.#switches || this.phase !== "up";
    if (isOver()) return;
    if (arrived.some((what) => what !== "arrived")) {
      if (arrived.includes("QueueFull")) await this.#pause();
      if (isOver()) return;
      // What was held back goes behind what is still under way, and then that is waited for.
      await this.#link.divert(true);
      if (isOver() || this.#link.isUp) return;
      this.#link.hold(this, this.#remote);
      // A relay that takes longer is waited for.
      return this.#switch(Math.min(2 * patience, SWITCH_TIMEOUT_MS[1]));
    }
    if (this.#link.goDirect()) {
      this.wasDirect = true;
      this.#rtc.became(this, "direct");
    }
  }

  /** Never ends when the connection ends, or pauses anew, meanwhile. */
  #pause() {
    clearTimeout(this.#timers.pause);
    return new Promise((resolve) => (this.#timers.pause = setTimeout(resolve, FULL_RETRY_MS)));
  }

  #lose() {
    if (this.phase !== "up") return;
    this.phase = "lost";
    this.#rtc.became(this, "relayed", "unresponsive");
    this.#link.divert();
    this.#timers.restart = setTimeout(() => this.fail("unresponsive"), RESTART_TIMEOUT_MS);
    if (this.isOffering) this.offer({ iceRestart: true });
  }

  // -- the heartbeat

  #beatLater() {
    clearTimeout(this.#timers.beat);
    const due = (this.#asked ?? this.#heard) + this.#heartbeatMs - now();
    this.#timers.beat = setTimeout(() => this.#beat(), Math.max(due, 1));
  }

  #beat() {
    if (this.phase !== "up") return;
    const time = now();
    if (this.#asked !== undefined && time - this.#asked >= this.#heartbeatMs) return this.#lose();
    if (this.#asked === undefined && time - this.#heard >= this.#heartbeatMs) {
      this.#asked = time;
      this.#pings += 1;
      this.say(`{"type":"ping","nonce":${this.#pings}}`);
    }
    this.#beatLater();
  }

  #hear(data, joiner) {
    if (this.phase === "ended") return;
    [this.#heard, this.#asked] = [now(), undefined];
    // Who says something has both channels open.
    if (this.phase === "connecting" || this.phase === "lost") this.#up();
    try {
      const text = joiner.push(data);
      if (text === undefined) return;
      const isCounted = joiner === this.#joiner;
      const frames = decode(text);
      const share = Math.ceil(text.length / frames.length);
      for (const frame of frames) this.#take(frame, share, isCounted);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#link.node.core.drops.count("malformed");
      this.fail("malformed", error.message);
    }
  }

  #take(frame, len, isCounted) {
    if (frame.type === "envelope") this.#link.take(frame, len, isCounted);
    else if (!isCounted) throw new Malformed(`a ${frame.type} here`);
    else if (frame.type === "ack") this.#link.acknowledge(frame.received);
    else if (frame.type === "ping") this.say(`{"type":"pong","nonce":${frame.nonce}}`);
    else if (frame.type === "goodbye") this.fail("closed", frame.reason);
    else if (frame.type !== "pong") throw new Malformed(`a ${frame.type} here`);
  }

  // -- writing

  say(frame) {
    if (this.#pieces.length > MAX_FRAMES) return this.fail("overload");
    for (const bytes of split(`[${frame}]`)) this.#pieces.push(bytes);
    this.#write();
  }

  writeSoon() {
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(() => {
      this.#isWriting = false;
      this.#write();
    });
  }

  /** Writes as much as there is room for. */
  #write() {
    try {
      while (this.#main?.readyState === "open" && this.#main.bufferedAmount < BUFFER_LEN) {
        if (this.#pieces.length === 0) {
          const message = this.phase === "up" ? this.#link.message() : undefined;
          if (message === undefined) return;
          for (const bytes of split(message)) this.#pieces.push(bytes);
        }
        this.#main.send(this.#pieces.shift());
      }
    } catch {
      // It closes, and says so.
    }
  }

  // -- the end

  /** It is over, for this reason. */
  fail(reason, detail) {
    if (this.phase === "ended") return;
    const why = WAYLESS.includes(reason) ? reason : undefined;
    this.#signal("close", { reason: CLOSE_REASONS[reason] ?? "closed", why }).catch(() => {});
    this.#stop();
    this.#rtc.over(this, reason, detail);
  }

  /** Ends it from here, with a goodbye. */
  end(reason) {
    if (this.phase === "ended") return;
    if (this.phase === "up") {
      // What came is known to have come.
      const news = this.#link.hasNews ? [this.#link.ack()] : [];
      this.say([...news, `{"type":"goodbye","reason":"${reason}"}`].join(","));
    }
    this.fail("closed", reason);
  }

  #stop() {
    this.phase = "ended";
    Object.values(this.#timers).forEach(clearTimeout);
    if (this.#main) this.#main.onclose = null;
    this.#link.divert();
    const pc = this.#pc;
    // The goodbye goes first.
    setTimeout(() => pc.close(), 50);
  }
}

/** Reasons why there is no way, as far as the other end is told. */
const WAYLESS = ["no-candidates", "checks-failed", "turn-refused", "turn-unreachable", "timeout", "network"];

/** What the other end is told. */
const CLOSE_REASONS = {
  malformed: "malformed",
  unresponsive: "unresponsive",
  timeout: "unresponsive",
  "no-answer": "unresponsive",
  overload: "overload",
  limit: "limit",
};

/** What it means that an offer was not taken. */
function reasonOf(error) {
  switch (error?.code) {
    case "NoHandler": return ["unsupported"];
    case "HandlerFailed": return ["refused", error.reason];
    case "Unauthorized": return ["refused", error.reason];
    case "Timeout": return ["no-answer"];
    default: return ["signalling", String(error?.message ?? error)];
  }
}

// ------------------------------------------------------------------------------------------------------------------- rtc

const RTC_OPTIONS = {
  iceServers: (value) => Array.isArray(value),
  relayOnly: isFlag,
  admit: (value) => typeof value === "function",
  connectTimeoutMs: isTime,
  heartbeatMs: (value) => isTime(value) && value >= LEAST_HEARTBEAT_MS && value <= LONGEST_HEARTBEAT_MS,
  maxConnections: isCount,
  RTCPeerConnection: (value) => typeof value === "function",
};

/** Direct connections of one peer: it makes them, and lets others make them. Nobody may, unless `admit` says so. */
export class Rtc {
  options;
  #node;
  #entries = new Map();
  #paths = new Signal();
  #subscription;
  #isClosed = false;
  #leave = () => this.close();

  constructor(peer, options = {}) {
    this.#node = nodeOf(peer);
    const { RTCPeerConnection = globalThis.RTCPeerConnection } = options;
    if (!RTCPeerConnection) throw new TypeError("there is no RTCPeerConnection here: give one as an option");
    this.options = {
      iceServers: [],
      relayOnly: false,
      admit: () => false,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      heartbeatMs: HEARTBEAT_MS,
      maxConnections: MAX_CONNECTIONS,
      ...checkOptions(options, RTC_OPTIONS),
      RTCPeerConnection,
    };
    this.#subscription = this.#node.register("sys.rtc.>", (delivery) => this.#hear(delivery), false);
    globalThis.addEventListener?.("pagehide", this.#leave);
  }

  /** Makes a direct connection, and another when it is lost. What becomes of it is told to `onPath`. */
  connect(id) {
    this.#checkOpen();
    checkPeerId(id);
    if (id === this.#node.id) throw fail.nameTaken(id);
    const entry = this.#entryOf(id);
    if (!entry) return this.#paths.tell({ id, path: "relayed", reason: "limit" });
    entry.isWanted = true;
    try {
      if (!entry.connection) this.#begin(entry, randomSession(), true);
    } catch (error) {
      // The browser does not take the options.
      this.#forget(entry);
      throw error;
    }
  }

  /** Closes the direct connection, if there is one, and makes no other. */
  disconnect(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    [entry.isWanted, entry.offered] = [false, undefined];
    clearTimeout(entry.retry);
    if (entry.connection) entry.connection.end("closed");
    else this.#tidy(entry);
  }

  /** How a peer is reached: `{ path: "connecting" | "direct" | "relayed", reason }`, or undefined. */
  path(id) {
    const entry = this.#entries.get(id);
    return entry && Object.freeze({ path: entry.path, reason: entry.reason });
  }

  /** All of them, by id. */
  paths() {
    return new Map([...this.#entries.keys()].map((id) => [id, this.path(id)]));
  }

  /** Calls back with `{ id, path, reason, detail }` whenever a way changes. */
  onPath(listener) {
    return this.#paths.add(listener);
  }

  /** Ends all connections. The peer goes on over its relay. Idempotent. */
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#subscription.cancel();
    globalThis.removeEventListener?.("pagehide", this.#leave);
    for (const entry of [...this.#entries.values()]) {
      [entry.isWanted, entry.offered] = [false, undefined];
      clearTimeout(entry.retry);
      entry.connection?.end("closed");
      this.#forget(entry);
    }
  }

  #checkOpen() {
    if (this.#isClosed) throw fail.closed(this.#node.id);
    this.#node.checkOpen();
  }

  #entryOf(id) {
    const known = this.#entries.get(id);
    if (known) return known;
    if (this.#entries.size >= this.options.maxConnections) {
      const kept = [...this.#entries.values()].find((entry) => !entry.connection && !entry.isWanted);
      if (!kept) return undefined;
      this.#forget(kept);
    }
    const link = new DirectLink(this.#node, id);
    const entry = { id, link, path: "connecting", reason: undefined, connection: undefined, isWanted: false, retries: 0 };
    this.#entries.set(id, entry);
    this.#node.direct.set(id, link);
    return entry;
  }

  #begin(entry, session, isOffering) {
    clearTimeout(entry.retry);
    entry.connection = new Connection(this, entry.link, session, isOffering);
    this.#become(entry, "connecting");
    if (isOffering) entry.connection.offer();
    return entry.connection;
  }

  #become(entry, path, reason, detail) {
    [entry.path, entry.reason] = [path, reason];
    this.#paths.tell(Object.freeze({ id: entry.id, path, reason, detail }));
  }

  /** The way of a connection changed. */
  became(connection, path, reason) {
    const entry = this.#entries.get(connection.remote);
    if (entry?.connection !== connection) return;
    if (path === "direct") entry.retries = 0;
    this.#become(entry, path, reason);
  }

  /** A connection has ended. */
  over(connection, reason, detail) {
    const entry = this.#entries.get(connection.remote);
    if (entry?.connection !== connection) return;
    entry.connection = undefined;
    const offered = entry.offered;
    entry.offered = undefined;
    if (offered) return this.#answer(entry, offered);
    this.#become(entry, "relayed", reason, detail);
    if (entry.isWanted && FINAL.includes(reason)) entry.isWanted = false;
    if (entry.isWanted && !this.#isClosed) this.#retryLater(entry);
    else this.#tidy(entry);
  }

  #retryLater(entry) {
    const [first, most] = RETRY_MS;
    const bound = Math.min(first * 2 ** Math.min(entry.retries, 10), most);
    entry.retries += 1;
    const retry = () => {
      if (this.#isClosed || entry.connection || !this.#node.isOpen) return;
      if (this.#node.link?.isUp) this.#tryAgain(entry);
      // That says nothing of the peer.
      else entry.retry = setTimeout(retry, first);
    };
    entry.retry = setTimeout(retry, first / 2 + Math.random() * (bound - first / 2));
  }

  #tryAgain(entry) {
    try {
      this.#begin(entry, randomSession(), true);
    } catch (error) {
      entry.isWanted = false;
      this.#become(entry, "relayed", "network", String(error?.message ?? error));
      this.#tidy(entry);
    }
  }

  /** Forgets a peer that nothing is to be done about, once answers that are under way elsewhere have come. */
  #tidy(entry) {
    if (this.#isClosed) return;
    entry.retry = setTimeout(() => {
      if (!entry.connection && !entry.isWanted) this.#forget(entry);
    }, 30_000);
  }

  #forget(entry) {
    clearTimeout(entry.retry);
    if (this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
    entry.link.end();
  }

  // -- what others signal

  #hear(delivery) {
    const { from, name, payload } = delivery;
    if (!this.#entries.has(from) && !this.options.admit(from)) throw fail.unauthorized("not allowed");
    const session = readSession(payload);
    const kind = name.slice("sys.rtc.".length);
    if (kind === "offer") return this.#offered(from, { session, description: readDescription(payload), early: [] });
    const entry = this.#entries.get(from);
    const connection = entry?.connection;
    if (connection?.session === session) return this.#pass(connection, kind, payload);
    if (entry?.offered?.session === session && entry.offered.early.length < MAX_EARLY) entry.offered.early.push([kind, payload]);
  }

  #pass(connection, kind, payload) {
    switch (kind) {
      case "answer": return connection.takeAnswer(readDescription(payload));
      case "candidate": return connection.takeCandidate(payload);
      case "close":
        if (WAYLESS.includes(payload.why) && connection.phase === "connecting") return connection.fail(payload.why);
        return connection.fail("closed", textIn(payload, "reason", "closed").slice(0, MAX_REASON_LEN));
      case "switch": return;
      default: throw new Malformed("no such signal");
    }
  }

  #offered(from, offered) {
    const entry = this.#entryOf(from);
    if (!entry) throw fail.refused("limit");
    const { connection } = entry;
    if (!connection) return this.#answer(entry, offered);
    if (connection.session === offered.session) return connection.takeOffer(offered.description);
    // Of two who offer at once the lesser counts; another offer is that of a peer that has lost what there was, as has a later life.
    const isOurs = connection.isOffering && !connection.isAnswered && this.#node.id < from;
    if (isOurs && !(offered.description.incarnation > connection.life)) return;
    entry.offered = offered;
    connection.fail("closed", "replaced");
  }

  #answer(entry, { session, description, early }) {
    const connection = this.#begin(entry, session, false);
    connection.takeOffer(description);
    for (const [kind, payload] of early) {
      try {
        this.#pass(connection, kind, payload);
      } catch (error) {
        report(error);
      }
    }
  }
}
