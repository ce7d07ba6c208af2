// Peers of the shiome bus in JavaScript: one `send` and one `on`, within a page and over WebSocket.
//
//     import { Peer } from "./shiome.js";
//
//     const alice = new Peer("alice", { url: "wss://example.org/bus" });
//     alice.on("chat.*", ({ from, payload }) => console.log(from, payload.text));
//     await alice.send("bob", "chat.message", { text: "hello" });
//
// Runs in browsers and in Node, needs nothing else, and is used as it stands. The semantics are those of the Rust crate
// `shiome-bus`; what goes over the WebSocket is section 13 of docs/PROTOCOL.md. Types are in shiome.d.ts.

// ---------------------------------------------------------------------------------------------------------------- limits

/** Bytes of a peer's id. */
export const MAX_PEER_ID_LEN = 128;
/** Bytes of the name of an intent, and of a pattern. */
export const MAX_NAME_LEN = 255;
/** Bytes of a payload as JSON text, unless the bus is told otherwise. */
export const MAX_PAYLOAD_LEN = 1024 * 1024;
/** How deep arrays and objects of a payload may be nested: what every JSON reader takes. */
export const MAX_DEPTH = 127;
/** How far an intent may be sent on: the first time counts as one, the second as two, and so on, so that even what all send on to all dies out. */
export const MAX_HOPS = 8;
/** Envelopes that wait in each lane of a mailbox, unless its peer is told otherwise. */
export const MAILBOX_CAPACITY = 1024;
/** Dropped envelopes that are remembered. */
export const DROP_RING_LEN = 256;

/** Length of a payload that one place in a mailbox is for: a longer one takes several, and all there are if it takes more than that. */
export const MAILBOX_PLACE_LEN = 16 * 1024;

const SYSTEM_CAPACITY = 256;
const MAX_PENDING = 65_536;
const MAX_OWED = 1024;
/** Receipts that wait for room on a link. */
const MAX_RECEIPTS = 65_536;
/** Part of the limits of a link that answers and envelopes of the system have beyond them. */
const RESERVED_PART = 4;
const MAX_REASON_LEN = 256;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Envelopes of one sender and lane that are told apart, counted back from the latest. */
const WINDOW = 1024;
/** Senders that are remembered, at least; twice as many at most. */
const MAX_SENDERS = 4096;
/** Runs of one sender that are remembered: one that tells of ever new ones makes only itself forgotten. */
const MAX_RUNS = 4;
/** Senders that are not told of, and are remembered for the way back. */
const MAX_LEARNED = 1024;

const REQUEST_TIMEOUT_MS = 10_000;
const SEND_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 5_000;
/** How long what came over a link waits for room in a mailbox. */
const INBOUND_PATIENCE_MS = 1_000;

/** After so many deliveries, or so long, handlers let the page do something else. */
const TURNS = 128;
const TURN_MS = 8;

const SUBPROTOCOL = "shiome-bus.1";
const VERSION = 1;
const MAX_FRAMES = 1024;
const MAX_PRESENCE = 256;
/** Frames of a snapshot. */
const MAX_SNAPSHOT = 256;
const MAX_DETAIL_LEN = 256;
const MAX_MESSAGE_LEN = 1024 * 1024 + 4096;
const MIN_MAX_MESSAGE_LEN = 4096;
/** Browsers pay by the message: what waits goes out together, up to about this. */
const BATCH_LEN = 32 * 1024;
const QUEUE_FRAMES = 8192;
const QUEUE_BYTES = 4 * 1024 * 1024;
const ACK_ENVELOPES = 512;
const ACK_LEN = 128 * 1024;
const ACK_DELAY_MS = 100;
const HEARTBEAT_MS = 15_000;
/** From the dial to the server's first word. */
const OPENING_TIMEOUT_MS = 15_000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 30_000;
/** Without a link for so long, it gives up. */
const GIVE_UP_MS = 300_000;
/** How often in a row the id may be taken: after the first time the server finds out whether who has it is still there. */
const MAX_NAME_TAKEN = 2;
/** How often in a row the server may call malformed what we say: then it is the first of what it has not acknowledged. */
const MAX_MALFORMED = 2;

const LEVELS = ["accepted", "received", "handled", "answered"];
const PRIORITIES = ["system", "normal", "bulk"];
const ROUTES = ["any", "local", "remote"];

// ---------------------------------------------------------------------------------------------------------------- errors

/** Names of errors, here and in Rust, and on the wire. */
const CODES = {
  NodeNotFound: "node_not_found",
  NoHandler: "no_handler",
  HandlerFailed: "handler_failed",
  Timeout: "timeout",
  NotConnected: "not_connected",
  QueueFull: "queue_full",
  PayloadTooLarge: "payload_too_large",
  Serialization: "serialization",
  InvalidName: "invalid_name",
  NameTaken: "name_taken",
  Unauthorized: "unauthorized",
  Network: "network",
  TooManyHops: "too_many_hops",
  Refused: "refused",
  Closed: "closed",
};
const CODE_OF_NAME = new Map(Object.entries(CODES).map(([code, name]) => [name, code]));

/** Why a peer could not do what it was asked to: `code` is the variant of the Rust `BusError`. */
export class BusError extends Error {
  constructor(code, message, { peer, reason, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BusError";
    this.code = code;
    if (peer !== undefined) this.peer = peer;
    if (reason !== undefined) this.reason = reason;
  }
}

const fail = {
  nodeNotFound: (peer) => new BusError("NodeNotFound", `no peer ${peer} is known`, { peer }),
  noHandler: (peer, name) => new BusError("NoHandler", `peer ${peer} has no handler for ${name}`, { peer }),
  handlerFailed: (peer, reason) =>
    new BusError("HandlerFailed", `a handler of peer ${peer} failed: ${reason}`, { peer, reason }),
  timeout: (peer, ms) => new BusError("Timeout", `no answer of peer ${peer} within ${ms} ms`, { peer }),
  notConnected: (peer, cause) => new BusError("NotConnected", `the link to peer ${peer} is down`, { peer, cause }),
  queueFull: (peer) => new BusError("QueueFull", `the queue to peer ${peer} is full`, { peer }),
  tooLarge: (len, limit) =>
    new BusError("PayloadTooLarge", `a payload of ${len} bytes is over the limit of ${limit}`),
  serialization: (reason, cause) => new BusError("Serialization", `payload: ${reason}`, { reason, cause }),
  invalidName: (what, name, fault) =>
    new BusError("InvalidName", `${what} ${JSON.stringify(cut(String(name)))}: ${fault}`, { reason: fault }),
  nameTaken: (peer, reason) => new BusError("NameTaken", `the name ${peer} is taken`, { peer, reason }),
  unauthorized: (reason) => new BusError("Unauthorized", `not allowed: ${reason}`, { reason }),
  network: (reason) => new BusError("Network", `link: ${reason}`, { reason }),
  tooManyHops: (peer) =>
    new BusError("TooManyHops", `the intent was sent on too often on its way to peer ${peer}`, { peer }),
  refused: (reason) => new BusError("Refused", `refused: ${reason}`, { reason }),
  closed: (peer) => new BusError("Closed", `peer ${peer} is closed`, { peer }),
};

/** The error that a receipt tells of. */
function errorOfReceipt(told, peer, name) {
  const text = (key) => (typeof told?.[key] === "string" ? told[key] : "");
  const [kind, reason] = [text("error"), cut(text("reason"))];
  switch (CODE_OF_NAME.get(kind)) {
    case "NodeNotFound": return fail.nodeNotFound(peer);
    case "NoHandler": return fail.noHandler(peer, name);
    case "HandlerFailed": return fail.handlerFailed(peer, reason);
    case "NotConnected": return fail.notConnected(peer);
    case "QueueFull": return fail.queueFull(peer);
    case "PayloadTooLarge": return new BusError("PayloadTooLarge", reason, { peer });
    case "Serialization": return fail.serialization(reason);
    case "Unauthorized": return fail.unauthorized(reason);
    case "TooManyHops": return fail.tooManyHops(peer);
    case "Refused": return fail.refused(reason);
    case "Closed": return fail.closed(peer);
    // Others are not said of an envelope that arrived, or come from a later version.
    default: return fail.network(`${kind}: ${reason}`);
  }
}

function errorForReceipt(error) {
  const isOurs = error instanceof BusError;
  const reason = isOurs && typeof error.reason === "string" ? cut(error.reason) : wordsOf(error);
  return { error: (isOurs && CODES[error.code]) || "network", reason };
}

/** What is thrown in a few words: it may be anything, even what has none. */
function wordsOf(thrown) {
  try {
    return cut(String(thrown?.message ?? thrown));
  } catch {
    return "something without words";
  }
}

/** An error of a user's listener: told to the environment, as nobody waits for it. */
function report(error) {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error);
}

// ----------------------------------------------------------------------------------------------------------------- texts

const encoder = new TextEncoder();
const lenOf = (text) => encoder.encode(text).length;

/** At most MAX_REASON_LEN bytes of a text, whole characters. */
function cut(text) {
  if (text.length * 3 <= MAX_REASON_LEN) return text;
  const buffer = new Uint8Array(MAX_REASON_LEN);
  return text.slice(0, encoder.encodeInto(text, buffer).read);
}

function checkPeerId(id) {
  if (typeof id !== "string" || id === "") throw fail.invalidName("peer id", id, "it is empty, or no text");
  if (id.length > MAX_PEER_ID_LEN) throw fail.invalidName("peer id", id, `it is longer than ${MAX_PEER_ID_LEN} bytes`);
  if (!/^[A-Za-z0-9._~@-]+$/.test(id)) throw fail.invalidName("peer id", id, "it has a character that is not allowed");
  return id;
}

/** What is wrong with a token, or undefined. White space and control characters as Unicode and Rust have them. */
function faultOfToken(token) {
  if (token === "") return "it has an empty token";
  if (/[*>]/.test(token)) return "it has a wildcard where none may be";
  if (/[\p{White_Space}\p{Cc}\p{Cs}]/u.test(token)) return "it has a character that is not allowed";
  return undefined;
}

function faultOfName(name) {
  if (typeof name !== "string" || name === "") return "it is empty, or no text";
  if (lenOf(name) > MAX_NAME_LEN) return `it is longer than ${MAX_NAME_LEN} bytes`;
  return name.split(".").map(faultOfToken).find(Boolean);
}

const isSystem = (name) => name.startsWith("sys.");

function checkName(name) {
  const reserved = () => (isSystem(name) ? "names that begin with sys. are reserved" : undefined);
  const fault = faultOfName(name) ?? reserved();
  if (fault) throw fail.invalidName("intent", name, fault);
  return name;
}

function checkPattern(pattern) {
  const fault = () => {
    if (typeof pattern !== "string" || pattern === "") return "it is empty, or no text";
    if (lenOf(pattern) > MAX_NAME_LEN) return `it is longer than ${MAX_NAME_LEN} bytes`;
    const tokens = pattern.split(".");
    const last = tokens.length - 1;
    const wild = (token, at) => token === "*" || (token === ">" && at === last);
    return tokens.map((token, at) => (wild(token, at) ? undefined : faultOfToken(token))).find(Boolean);
  };
  const found = fault();
  if (found) throw fail.invalidName("pattern", pattern, found);
  return pattern;
}

/** The test for a pattern: `*` is one token, `>` at the end one or more; none that begins with them is for `sys.`. */
function matcherOf(pattern) {
  if (!/[*>]/.test(pattern)) return (name) => name === pattern;
  const wanted = pattern.split(".");
  const wild = /^[*>]/.test(pattern);
  return (name) => {
    if (wild && isSystem(name)) return false;
    const tokens = name.split(".");
    for (let at = 0; ; at += 1) {
      if (at === wanted.length || at === tokens.length) return wanted.length === tokens.length;
      if (wanted[at] === ">") return true;
      if (wanted[at] !== "*" && wanted[at] !== tokens[at]) return false;
    }
  };
}

/** Whether arrays and objects of a value are nested at most so deep. */
function isAtMost(value, depth) {
  if (value === null || typeof value !== "object") return true;
  return depth > 0 && Object.values(value).every((member) => isAtMost(member, depth - 1));
}

/** Whether arrays and objects of a JSON text are nested too deep. */
function isTooDeep(text) {
  if (text.length <= 2 * MAX_DEPTH) return false;
  let [depth, quoted] = [0, false];
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (quoted) {
      if (c === "\\") at += 1;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === "[" || c === "{") {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (c === "]" || c === "}") depth -= 1;
  }
  return false;
}

/** `JSON.stringify` escapes only half characters that way, which are no Unicode and which others refuse. */
const HALF_CHARACTER = /(?<!\\)(?:\\\\)*\\ud/;

function textOf(payload) {
  let text;
  try {
    text = JSON.stringify(payload === undefined ? null : payload);
  } catch (cause) {
    throw fail.serialization(String(cause?.message ?? cause), cause);
  }
  if (text === undefined) throw fail.serialization(`a ${typeof payload} is no JSON`);
  if (HALF_CHARACTER.test(text)) throw fail.serialization("a text with half a character is no Unicode");
  if (isTooDeep(text)) throw fail.serialization(`it is nested more than ${MAX_DEPTH} deep`);
  return text;
}

function freeze(value) {
  if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}

/** Whether all texts in a value are Unicode. */
function isUnicode(value) {
  if (typeof value === "string") return !/\p{Cs}/u.test(value);
  if (value === null || typeof value !== "object") return true;
  return Object.entries(value).every(([key, member]) => isUnicode(key) && isUnicode(member));
}

// --------------------------------------------------------------------------------------------------------------- intents

let textOfIntent, hopsOfIntent, sendOn, notSentOn, intentOf;

/** What an intent is made of that was checked elsewhere. */
class Made {
  constructor(text, value, hops) {
    Object.assign(this, { text, value, hops });
  }
}

/** What is said: a name, and a payload of JSON. It does not change: the payload is a frozen copy of what it was made of. */
export class Intent {
  #text;
  #value;
  #frozen = false;
  #hops;
  /** How often one that arrived was sent on since. */
  #sentOn = { times: 0 };

  constructor(name, payload = null, made = undefined) {
    const checked = made instanceof Made;
    this.name = checked ? name : checkName(name);
    this.#text = checked ? made.text : textOf(payload);
    this.#value = checked ? made.value : undefined;
    this.#hops = checked ? made.hops : 0;
    Object.freeze(this);
  }

  get payload() {
    if (!this.#frozen) {
      this.#value = freeze(this.#value === undefined ? JSON.parse(this.#text) : this.#value);
      this.#frozen = true;
    }
    return this.#value;
  }

  static {
    textOfIntent = (intent) => (intent.#text ??= JSON.stringify(intent.#value));
    hopsOfIntent = (intent) => intent.#hops;
    /** It is sent, and goes so far: one that arrived one farther each time. */
    sendOn = (intent) => (intent.#hops === 0 ? 0 : intent.#hops + intent.#sentOn.times++);
    /** It was not sent after all. */
    notSentOn = (intent) => void (intent.#sentOn.times -= intent.#hops === 0 ? 0 : 1);
    /** The same with so many hops, for its own receiver. */
    intentOf = (intent, hops) => new Intent(intent.name, null, new Made(intent.#text, intent.#value, hops));
  }
}

/** An intent of the bus itself, or one that arrived and whose payload nobody else has. */
const unchecked = (name, value) => new Intent(name, null, new Made(undefined, value, 0));

// ------------------------------------------------------------------------------------------------------------- envelopes

let lastIncarnation = 0;

/** Which run of a peer: later ones are greater, also after a page was loaded again. */
function nextIncarnation(after = 0) {
  const now = Math.floor((performance.timeOrigin + performance.now()) * 1000);
  lastIncarnation = Math.max(now, lastIncarnation + 1, after + 1);
  return lastIncarnation;
}

function envelopeOf(id, from, to, intent, { level = "accepted", priority = "normal", replyTo } = {}) {
  const hops = replyTo === undefined ? sendOn(intent) : 0;
  return { id, from, to, intent, sentAt: Date.now(), replyTo, hops, level, priority };
}

/** The lane of the bus itself is not for what users say, whatever the other end calls it. */
function laneOf({ intent, replyTo, priority }) {
  return priority === "system" && replyTo === undefined && !isSystem(intent.name) ? "normal" : priority;
}

/** Whether its sender is told what becomes of it. */
const isAwaited = (envelope) => envelope.level !== "accepted" && envelope.replyTo === undefined;
const isAtLeast = (level, other) => LEVELS.indexOf(level) >= LEVELS.indexOf(other);

// ------------------------------------------------------------------------------------------------------------------ wire

class Malformed extends Error {}

function must(holds, what) {
  if (!holds) throw new Malformed(what);
}

const has = (value) => value !== undefined && value !== null;
const isNumber = (value) => Number.isSafeInteger(value) && value >= 0;

function numberIn(object, key, usual) {
  const value = has(object[key]) ? object[key] : usual;
  must(isNumber(value), key);
  return value;
}

function textIn(object, key, usual) {
  const value = has(object[key]) ? object[key] : usual;
  must(typeof value === "string", key);
  return value;
}

function wordIn(object, key, words, usual) {
  const value = textIn(object, key, usual);
  must(words.includes(value), key);
  return value;
}

function flagIn(object, key) {
  const value = object[key] ?? false;
  must(typeof value === "boolean", key);
  return value;
}

function peerIdIn(object, key) {
  const value = object[key];
  must(typeof value === "string" && value.length <= MAX_PEER_ID_LEN && /^[A-Za-z0-9._~@-]+$/.test(value), key);
  return value;
}

function messageIdIn(object, key) {
  const value = textIn(object, key);
  const parts = /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$/.exec(value);
  must(parts && isNumber(Number(parts[1])) && isNumber(Number(parts[2])), key);
  return value;
}

function listIn(object, key, item) {
  const list = object[key] ?? [];
  must(Array.isArray(list) && list.length <= MAX_PRESENCE, key);
  return list.map(item);
}

function detailIn(object) {
  const detail = textIn(object, "detail", "");
  must(lenOf(detail) <= MAX_DETAIL_LEN, "detail");
  return detail;
}

function readEnvelope(object) {
  const name = textIn(object, "name");
  must(faultOfName(name) === undefined, "name");
  const hops = numberIn(object, "hops", 0);
  must(hops <= MAX_HOPS, "hops");
  must(isAtMost(object.payload, MAX_DEPTH), "payload");
  return {
    type: "envelope",
    id: messageIdIn(object, "id"),
    from: peerIdIn(object, "from"),
    to: peerIdIn(object, "to"),
    intent: unchecked(name, object.payload ?? null),
    sentAt: numberIn(object, "sent_at", 0),
    replyTo: has(object.reply_to) ? messageIdIn(object, "reply_to") : undefined,
    hops,
    level: wordIn(object, "level", LEVELS, "accepted"),
    priority: wordIn(object, "priority", PRIORITIES, "normal"),
  };
}

function readPresence(object) {
  const present = listIn(object, "present", (entry) => {
    must(Array.isArray(entry) && entry.length === 2, "present");
    return [peerIdIn(entry, 0), numberIn(entry, 1)];
  });
  const absent = listIn(object, "absent", (_, at, list) => peerIdIn(list, at));
  must(present.length + absent.length <= MAX_PRESENCE, "presence");
  const [all, partial, more] = ["all", "partial", "more"].map((key) => flagIn(object, key));
  return { type: "presence", all, partial, more, present, absent };
}

function readWelcome(object) {
  const maxMessage = numberIn(object, "max_message", MAX_MESSAGE_LEN);
  must(maxMessage >= MIN_MAX_MESSAGE_LEN, "max_message");
  return {
    type: "welcome",
    version: numberIn(object, "version"),
    id: peerIdIn(object, "id"),
    incarnation: numberIn(object, "incarnation"),
    relay: flagIn(object, "relay"),
    gateway: flagIn(object, "gateway"),
    encoding: wordIn(object, "encoding", ["json"], "json"),
    reclaim: textIn(object, "reclaim"),
    resumed: flagIn(object, "resumed"),
    received: numberIn(object, "received", 0),
    maxMessage,
    heartbeatMs: numberIn(object, "heartbeat_ms", HEARTBEAT_MS),
    graceMs: numberIn(object, "grace_ms", 10_000),
  };
}

/** Frames that clients get, by `type`. */
const READERS = new Map([
  ["envelope", readEnvelope],
  ["ack", (object) => ({ type: "ack", received: numberIn(object, "received") })],
  ["ping", (object) => ({ type: "ping", nonce: numberIn(object, "nonce") })],
  ["pong", (object) => ({ type: "pong", nonce: numberIn(object, "nonce") })],
  ["presence", readPresence],
  ["welcome", readWelcome],
  ["hello", () => ({ type: "hello" })],
  ["goodbye", (object) => ({ type: "goodbye", reason: textIn(object, "reason"), detail: detailIn(object) })],
  ["refused", (object) => ({
    type: "refused",
    reason: textIn(object, "reason"),
    id: has(object.id) ? peerIdIn(object, "id") : undefined,
    retryMs: has(object.retry_ms) ? numberIn(object, "retry_ms") : undefined,
    detail: detailIn(object),
  })],
]);

/** The frames of a message, without those of unknown types. All of it is looked at before any of it takes effect. */
function decode(text) {
  let objects;
  try {
    objects = JSON.parse(text);
  } catch (cause) {
    throw new Malformed("no JSON", { cause });
  }
  must(Array.isArray(objects) && objects.length <= MAX_FRAMES, "no array of frames");
  // Frames of later versions, too: an array of objects, and what is in them.
  must(isAtMost(objects, MAX_DEPTH + 2), "nested too deep");
  // Half characters can only have come escaped.
  if (/\\u[dD]/.test(text)) must(isUnicode(objects), "no Unicode");
  return objects.flatMap((object) => {
    must(object !== null && typeof object === "object" && !Array.isArray(object), "no frame");
    must(typeof object.type === "string", "type");
    return READERS.get(object.type)?.(object) ?? [];
  });
}

/** The text of an envelope's frame. What is at its default is left out. */
function encodeEnvelope(envelope) {
  const { id, from, to, intent, sentAt, replyTo, hops, level, priority } = envelope;
  const head = JSON.stringify({ type: "envelope", id, from, to, name: intent.name });
  const rest = JSON.stringify({
    sent_at: sentAt,
    reply_to: replyTo,
    hops: hops || undefined,
    level: level === "accepted" ? undefined : level,
    priority: priority === "normal" ? undefined : priority,
  });
  return `${head.slice(0, -1)},"payload":${textOfIntent(intent)},${rest.slice(1)}`;
}

/** For tests against the vectors of the protocol. */
export const wire = Object.freeze({ decode, encodeEnvelope });

// ---------------------------------------------------------------------------------------------------------------- queues

/** First in, first out, without moving what is left. */
class Fifo {
  #items = [];
  #head = 0;

  get length() {
    return this.#items.length - this.#head;
  }

  push(item) {
    this.#items.push(item);
  }

  at(index) {
    return this.#items[this.#head + index];
  }

  shift() {
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length || this.#head > 1024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes all out. */
  drain() {
    const items = this.#items.slice(this.#head);
    [this.#items, this.#head] = [[], 0];
    return items;
  }
}

/** Those that wait for room, in the order of coming. */
class Waiters {
  #all = new Set();

  get length() {
    return this.#all.size;
  }

  /** Waits until `attempt` gives something, at most so long; `late` makes the error then. Not beyond what `ends` tells of. */
  wait(attempt, ms, late, signal, ends) {
    return new Promise((resolve, reject) => {
      const waiter = { attempt };
      const leave = () => {
        this.#all.delete(waiter);
        clearTimeout(timer);
        signal?.removeEventListener("abort", aborted);
        end?.cancel();
      };
      const aborted = () => {
        leave();
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        leave();
        reject(late());
      }, Math.min(ms, MAX_TIMER_MS));
      waiter.resolve = (result) => {
        leave();
        resolve(result);
      };
      waiter.reject = (error) => {
        leave();
        reject(error);
      };
      signal?.addEventListener("abort", aborted);
      const end = ends?.add(waiter.reject);
      this.#all.add(waiter);
    });
  }

  /** There is room: lets in who can go on, until one cannot. */
  admit() {
    for (const waiter of this.#all) {
      try {
        const result = waiter.attempt();
        if (result === undefined) return;
        waiter.resolve(result);
      } catch (error) {
        waiter.reject(error);
      }
    }
  }
}

/** Calls back in a task of its own, soon, also in hidden pages, where timers are slow. */
const soon = (() => {
  if (typeof setImmediate === "function") return (call) => void setImmediate(call);
  const calls = new Fifo();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => calls.shift()();
  return (call) => {
    calls.push(call);
    port2.postMessage(null);
  };
})();

/** Listeners to something that happens. Their errors are theirs. */
class Signal {
  #listeners = new Set();

  get length() {
    return this.#listeners.size;
  }

  add(listener) {
    checkFunction(listener);
    const entry = { listener };
    this.#listeners.add(entry);
    return new Subscription(() => this.#listeners.delete(entry), () => this.#listeners.has(entry));
  }

  tell(...values) {
    for (const { listener } of [...this.#listeners]) {
      try {
        listener(...values);
      } catch (error) {
        report(error);
      }
    }
  }

  clear() {
    this.#listeners.clear();
  }
}

/** A registration. */
export class Subscription {
  #cancel;
  #isActive;

  constructor(cancel, isActive) {
    this.#cancel = cancel;
    this.#isActive = isActive;
  }

  /** Ends it; says whether it was still there. */
  cancel() {
    return this.#cancel();
  }

  get active() {
    return this.#isActive();
  }
}

/** A promise of what a handler gave, if that is a future. */
function futureOf(result) {
  const isObject = result !== null && (typeof result === "object" || typeof result === "function");
  return isObject && typeof result.then === "function" ? Promise.resolve(result) : undefined;
}

function checkFunction(value) {
  if (typeof value !== "function") throw new TypeError("a handler is a function");
}

/** Options, each checked: none is ignored silently. */
function checkOptions(options, checks) {
  if (options === null || typeof options !== "object") throw new TypeError("options are an object");
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, key)) throw new TypeError(`there is no option ${key}`);
    if (value !== undefined && !checks[key](value)) throw new TypeError(`option ${key} cannot be ${String(value)}`);
  }
  return options;
}

const isTime = (value) => typeof value === "number" && value >= 0;
const isCount = (value) => Number.isSafeInteger(value) && value >= 1;
const isFlag = (value) => typeof value === "boolean";

const SEND_OPTIONS = {
  level: (value) => LEVELS.includes(value),
  timeoutMs: isTime,
  priority: (value) => value === "normal" || value === "bulk",
  route: (value) => ROUTES.includes(value),
  signal: (value) => typeof value.addEventListener === "function",
};

function sendOptions(options = {}) {
  const { level = "accepted", timeoutMs, priority = "normal", route = "any", signal } = checkOptions(options, SEND_OPTIONS);
  signal?.throwIfAborted();
  return { level, timeoutMs, priority, route, signal };
}

/** The arguments `intent, options` or `name, payload, options`. */
function said(what, rest) {
  return what instanceof Intent ? [what, rest[0]] : [new Intent(what, rest[0]), rest[1]];
}

// ------------------------------------------------------------------------------------------------------------------- bus

/** The latest message numbers of a sender. */
class Window {
  #latest = 0;
  #bits = new Uint32Array(WINDOW / 32);

  first(seq) {
    if (seq > this.#latest) this.#advance(seq);
    else if (this.#latest - seq >= WINDOW) return false;
    const [word, bit] = [(seq % WINDOW) >>> 5, 1 << seq % 32];
    const seen = (this.#bits[word] & bit) !== 0;
    this.#bits[word] |= bit;
    return !seen;
  }

  #advance(seq) {
    if (seq - this.#latest >= WINDOW) this.#bits.fill(0);
    else for (let n = this.#latest + 1; n <= seq; n += 1) this.#bits[(n % WINDOW) >>> 5] &= ~(1 << n % 32);
    this.#latest = seq;
  }
}

/** Which envelopes came over links before. Those of one lane keep their order, so that one that comes late is a copy. */
class Seen {
  #recent = new Map();
  #old = new Map();

  first({ id, from, priority }) {
    const [incarnation, seq] = id.split(".");
    const windows = this.#windows(this.#runs(from), incarnation);
    windows[priority] ??= new Window();
    return windows[priority].first(Number(seq));
  }

  #runs(sender) {
    let runs = this.#recent.get(sender);
    if (!runs) {
      if (this.#recent.size >= MAX_SENDERS) [this.#old, this.#recent] = [this.#recent, new Map()];
      runs = this.#old.get(sender) ?? new Map();
      this.#recent.set(sender, runs);
    }
    return runs;
  }

  /** Those of one run, which then is the latest. */
  #windows(runs, incarnation) {
    const windows = runs.get(incarnation) ?? {};
    runs.delete(incarnation);
    if (runs.size >= MAX_RUNS) runs.delete(runs.keys().next().value);
    runs.set(incarnation, windows);
    return windows;
  }
}

/** Where dropped envelopes are told of. */
class Drops {
  signal = new Signal();
  ring = [];
  counts = new Map();

  /** Counts an envelope, and tells of it unless it is one of the bus' own, which would hide those of users. */
  trace({ id, from, to, intent }, reason) {
    this.count(reason);
    if (isSystem(intent.name)) return;
    const dropped = Object.freeze({ reason, id, from, to, name: intent.name, at: Date.now() });
    this.ring.push(dropped);
    if (this.ring.length > DROP_RING_LEN) this.ring.shift();
    this.signal.tell(dropped);
  }

  count(reason) {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
  }
}

/** What an error that ends an envelope's way is counted as. */
function reasonOf(error) {
  const reasons = ["NodeNotFound", "NoHandler", "NotConnected", "QueueFull", "PayloadTooLarge", "TooManyHops", "Refused", "Closed"];
  if (error?.code === "Unauthorized") return "forged";
  return reasons.includes(error?.code) ? CODES[error.code] : "network";
}

/** What the peers of a bus share. */
class Core {
  nodes = new Map();
  seen = new Seen();
  drops = new Drops();
  names = new Signal();
  /** Links that wait for room in a mailbox. */
  holding = new Set();

  constructor({ maxPayload = MAX_PAYLOAD_LEN, requestTimeoutMs = REQUEST_TIMEOUT_MS, sendTimeoutMs = SEND_TIMEOUT_MS } = {}) {
    Object.assign(this, { maxPayload, requestTimeoutMs, sendTimeoutMs });
  }

  enter(node, replace) {
    const old = this.nodes.get(node.id);
    if (old && !replace) throw fail.nameTaken(node.id);
    old?.end();
    this.nodes.set(node.id, node);
    this.tellLinks(node, true);
    this.names.tell({ type: "up", id: node.id, incarnation: node.incarnation });
  }

  leave(node) {
    // A newer one of the same name stays.
    if (this.nodes.get(node.id) !== node) return;
    this.nodes.delete(node.id);
    this.tellLinks(node, false);
    this.names.tell({ type: "down", id: node.id, incarnation: node.incarnation });
  }

  *links() {
    for (const { link } of this.nodes.values()) if (link) yield link;
  }

  tellLinks(node, here) {
    for (const link of this.links()) link.localPeer(node, here);
  }

  /** Links that a peer may send over: its own, and those that speak for others. */
  *linksOf(node) {
    if (node.link) yield node.link;
    for (const link of this.links()) if (link !== node.link && link.isGateway) yield link;
  }

  /** The way to a peer: on the bus first, then over a link. */
  way(node, to, route) {
    const local = route === "remote" ? undefined : this.nodes.get(to);
    if (local) return { node: local };
    if (route === "local") throw fail.nodeNotFound(to);
    const direct = node.direct.get(to);
    if (direct?.isUp) return { link: direct };
    let [first, known] = [undefined, undefined];
    for (const link of this.linksOf(node)) {
      first ??= link;
      if (link.isUp && link.reaches(to)) known ??= link;
    }
    if (!first) throw fail.nodeNotFound(to);
    return { link: known ?? first };
  }

  /** All others that are on the bus or told of by links that are up, with their runs. */
  present(node) {
    const present = new Map();
    for (const link of [...this.linksOf(node), ...node.direct.values()]) {
      if (link.isUp) link.peers.forEach((run, id) => present.set(id, run));
    }
    for (const local of this.nodes.values()) present.set(local.id, local.incarnation);
    present.delete(node.id);
    return present;
  }

  /** The run of a peer that is on the bus, or told of. */
  runOf(node, id) {
    const local = this.nodes.get(id);
    if (local) return local.incarnation;
    const links = [...this.linksOf(node)].filter((link) => link.isUp);
    return links.findLast((link) => link.peers.has(id))?.peers.get(id);
  }

  /** Whether a run of a peer is over, as far as is told: what comes of it was said before. */
  isOver(node, id, run) {
    if (this.nodes.has(id)) return this.nodes.get(id).incarnation !== run;
    const up = [...this.linksOf(node), ...node.direct.values()].filter((link) => link.isUp);
    if (up.some((link) => link.peers.get(id) === run)) return false;
    return this.runOf(node, id) > run || !this.reaches(node, id) || up.some((link) => link.hasEnded?.(id, run));
  }

  reaches(node, id) {
    if (this.nodes.has(id) || node.direct.get(id)?.isUp) return true;
    for (const link of this.linksOf(node)) if (link.isUp && link.reaches(id)) return true;
    return false;
  }

  /** Tells the sender of `about`, which came over `link` or on the bus, what became of it. */
  answer(about, link, name, payload) {
    const receipt = { intent: unchecked(name, payload), replyTo: about.id };
    if (!link) return void this.nodes.get(about.from)?.resolve({ ...receipt, from: about.to }, undefined);
    const id = `${link.node.incarnation}.${link.node.nextSeq()}`;
    const options = { replyTo: about.id, priority: "system" };
    link.pushReceipt(envelopeOf(id, about.to, about.from, receipt.intent, options));
  }

  refuse(about, link, error) {
    this.drops.trace(about, reasonOf(error));
    if (isAwaited(about)) this.nack(about, link, error);
  }

  nack(about, link, error) {
    this.answer(about, link, "sys.nack", errorForReceipt(error));
  }

  /** An envelope could not be handed over. One that only met a full queue is counted, and told to who sent it. */
  failed(envelope, error) {
    const reason = reasonOf(error);
    if (reason === "queue_full") this.drops.count(reason);
    else this.drops.trace(envelope, reason);
    return error;
  }
}

const BUS_OPTIONS = { maxPayload: isCount, requestTimeoutMs: isTime, sendTimeoutMs: isTime };
let coreOf;

/** Peers that reach each other without a network: several in one page share one. */
export class Bus {
  #core;

  constructor(options = {}) {
    this.#core = new Core(checkOptions(options, BUS_OPTIONS));
  }

  static {
    coreOf = (bus) => bus.#core;
  }

  /** A peer on this bus. */
  peer(id, options = {}) {
    return new Peer(id, { ...options, bus: this });
  }

  /** Ids of the peers on it. */
  peers() {
    return [...this.#core.nodes.keys()].sort();
  }

  /** How many envelopes were dropped for this reason, or for any. */
  dropped(reason) {
    const { counts } = this.#core.drops;
    if (reason !== undefined) return counts.get(reason) ?? 0;
    return [...counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The last envelopes that were dropped. */
  drops() {
    return [...this.#core.drops.ring];
  }

  onDrop(listener) {
    return this.#core.drops.signal.add(listener);
  }

  /** Closes all peers on it. */
  async close(deadlineMs = CLOSE_TIMEOUT_MS) {
    await Promise.all([...this.#core.nodes.values()].map((node) => node.close(deadlineMs)));
  }
}

// ----------------------------------------------------------------------------------------------------------------- peers

/** What waits for a peer's handlers: all of one lane goes before the next. */
class Mailbox {
  #lanes = { system: new Fifo(), normal: new Fifo(), bulk: new Fifo() };
  #taken = { system: 0, normal: 0, bulk: 0 };
  waiters = { system: new Waiters(), normal: new Waiters(), bulk: new Waiters() };
  /** Called when there is room again. */
  #room;

  constructor(capacity, room) {
    this.#room = room;
    this.capacity = { system: SYSTEM_CAPACITY, normal: capacity, bulk: capacity };
  }

  get length() {
    return PRIORITIES.reduce((sum, lane) => sum + this.#lanes[lane].length, 0);
  }

  /** Whether there was room for what is at most `len` long. */
  put(item, len) {
    const lane = item.envelope.priority;
    const places = Math.min(Math.max(Math.ceil(len / MAILBOX_PLACE_LEN), 1), this.capacity[lane]);
    if (this.#taken[lane] + places > this.capacity[lane]) return false;
    this.#taken[lane] += places;
    this.#lanes[lane].push({ item, places });
    return true;
  }

  take() {
    const lane = PRIORITIES.find((priority) => this.#lanes[priority].length > 0);
    if (lane === undefined) return undefined;
    const { item, places } = this.#lanes[lane].shift();
    this.#taken[lane] -= places;
    this.waiters[lane].admit();
    this.#room();
    return item;
  }

  drain() {
    PRIORITIES.forEach((lane) => (this.#taken[lane] = 0));
    return PRIORITIES.flatMap((lane) => this.#lanes[lane].drain().map(({ item }) => item));
  }

  /** Lets all who wait find out that it is closed. */
  close() {
    PRIORITIES.forEach((lane) => this.waiters[lane].admit());
  }
}

/** An envelope that arrived, how it came, and a way to answer it. */
export class Delivery {
  #node;
  #link;
  #envelope;

  constructor(node, envelope, link) {
    this.#node = node;
    this.#link = link;
    this.#envelope = envelope;
  }

  get id() { return this.#envelope.id; }
  get from() { return this.#envelope.from; }
  get to() { return this.#envelope.to; }
  get intent() { return this.#envelope.intent; }
  get name() { return this.#envelope.intent.name; }
  get payload() { return this.#envelope.intent.payload; }
  get sentAt() { return this.#envelope.sentAt; }
  get replyTo() { return this.#envelope.replyTo; }
  get hops() { return this.#envelope.hops; }
  get level() { return this.#envelope.level; }
  get priority() { return this.#envelope.priority; }
  /** Which path it took: `bus`, or the kind of the link. */
  get via() { return this.#link?.kind ?? "bus"; }

  /** Answers under the name of what was asked. */
  async respond(payload) {
    return this.#node.respond(this, intentNamed(this.name, payload));
  }
}

/** An intent of a name that is known to be one, maybe of the bus. */
const intentNamed = (name, payload) => new Intent(name, null, new Made(textOf(payload), undefined, 0));

const now = () => performance.now();

/** What a Peer is a handle on. */
class Node {
  handlers = [];
  interceptors = { outbound: [], inbound: [] };
  pending = new Map();
  owed = new Map();
  phase = "open";
  states = new Signal();
  errors = new Signal();
  /** Why nothing more will come of what waits: it has ended. */
  ends = new Signal();
  counts = { sent: 0, delivered: 0, calls: 0, errors: 0 };
  link = undefined;
  /** Links to single peers, by their ids. */
  direct = new Map();
  /** A handler runs right now, and not only its future. */
  isServing = false;
  #seq = 0;
  #said = 0;
  /** How many handlers of rooms that are futures are not done, by the turn of what they handle. */
  #turns = [];
  #running = false;
  #idle = new Waiters();
  #closing;

  constructor(core, id, { capacity = MAILBOX_CAPACITY, replace = false, hasLink = false, after = 0 }) {
    Object.assign(this, { core, id, hasLink, incarnation: nextIncarnation(after) });
    this.mailbox = new Mailbox(capacity, () => core.holding.forEach((link) => link.deliverHeld()));
    core.enter(this, replace);
  }

  get isOpen() {
    return this.phase === "open";
  }

  checkOpen() {
    if (!this.isOpen) throw fail.closed(this.id);
  }

  nextSeq() {
    this.#seq += 1;
    return this.#seq;
  }

  // -- rooms

  /** The next number of what is said to rooms, of all rooms together. */
  nextSaid() {
    this.#said += 1;
    return this.#said;
  }

  /** A handler of what was said in that turn began. The result is to be called when it is done. */
  beginTurn(turn) {
    this.#turns[turn] = (this.#turns[turn] ?? 0) + 1;
    return () => void (this.#turns[turn] -= 1);
  }

  /** The latest turn that is still handled, or -1. */
  latestTurn() {
    return this.#turns.findLastIndex((count) => count > 0);
  }

  // -- handlers

  register(pattern, call, once) {
    checkFunction(call);
    const entry = { pattern: checkPattern(pattern), call, once, matches: matcherOf(pattern), done: false };
    this.checkOpen();
    this.handlers = [...this.handlers, entry];
    const isActive = () => this.handlers.includes(entry);
    return new Subscription(() => this.removeHandlers((other) => other === entry) > 0, isActive);
  }

  removeHandlers(remove) {
    const left = this.handlers.filter((entry) => !remove(entry));
    const removed = this.handlers.length - left.length;
    this.handlers = left;
    return removed;
  }

  intercept(direction, interceptor) {
    checkFunction(interceptor);
    this.checkOpen();
    const [list, entry] = [this.interceptors, { interceptor }];
    list[direction] = [...list[direction], entry];
    const isActive = () => list[direction].includes(entry);
    const cancel = () => {
      const was = isActive();
      list[direction] = list[direction].filter((other) => other !== entry);
      return was;
    };
    return new Subscription(cancel, isActive);
  }

  /** What interceptors make of an envelope; throws when one refuses it. */
  intercepted(direction, envelope) {
    for (const { interceptor } of this.interceptors[direction]) {
      let verdict;
      try {
        verdict = interceptor(Object.freeze({ ...envelope }));
      } catch (error) {
        throw error instanceof BusError ? error : fail.refused(wordsOf(error));
      }
      if (typeof verdict === "string") throw fail.refused(verdict);
      if (verdict instanceof Intent) envelope.intent = intentOf(verdict, hopsOfIntent(envelope.intent));
    }
    return envelope;
  }

  // -- sending

  envelope(to, intent, options) {
    this.checkOpen();
    return envelopeOf(`${this.incarnation}.${this.nextSeq()}`, this.id, checkPeerId(to), intent, options);
  }

  /** Where an envelope goes, if it may leave. */
  way(envelope, route) {
    try {
      this.intercepted("outbound", envelope);
      const [text, limit] = [textOfIntent(envelope.intent), this.core.maxPayload];
      const len = text.length > limit ? text.length : lenOf(text);
      if (len > limit) throw fail.tooLarge(len, limit);
      if (envelope.hops > MAX_HOPS) throw fail.tooManyHops(envelope.to);
      return this.core.way(this, envelope.to, route);
    } catch (error) {
      throw this.failed(envelope, error);
    }
  }

  failed(envelope, error) {
    this.counts.errors += 1;
    if (envelope.replyTo === undefined) notSentOn(envelope.intent);
    return this.core.failed(envelope, error);
  }

  /** Hands an envelope over if there is room: a receipt, or undefined. */
  offer(envelope, way) {
    const placed = way.link ? way.link.offer(envelope) : way.node.accept(envelope, undefined);
    if (!placed) return undefined;
    this.counts.sent += 1;
    return Object.freeze({ id: envelope.id, via: way.link?.kind ?? "bus" });
  }

  waitersOf(envelope, way) {
    return way.link ? way.link.waiters : way.node.mailbox.waiters[envelope.priority];
  }

  handOverNow(envelope, way) {
    try {
      const receipt = this.waitersOf(envelope, way).length > 0 ? undefined : this.offer(envelope, way);
      if (!receipt) throw way.link?.notUp(envelope.to) ?? fail.queueFull(envelope.to);
      return receipt;
    } catch (error) {
      throw this.failed(envelope, error);
    }
  }

  async handOver(envelope, way, timeoutMs = this.core.sendTimeoutMs, signal) {
    const waiters = this.waitersOf(envelope, way);
    const attempt = () => this.offer(envelope, way);
    const full = () => way.link?.notUp(envelope.to) ?? fail.queueFull(envelope.to);
    try {
      const receipt = waiters.length > 0 ? undefined : attempt();
      if (receipt) return receipt;
      // A handler that waits for its own peer would wait for itself.
      if (way.node?.isServing) throw full();
      return await waiters.wait(attempt, timeoutMs, full, signal, this.ends);
    } catch (error) {
      throw error instanceof BusError ? this.failed(envelope, error) : error;
    }
  }

  trySend(to, intent, options) {
    const envelope = this.envelope(to, intent, options);
    return this.handOverNow(envelope, this.way(envelope, "any"));
  }

  async send(to, intent, options) {
    const { route, timeoutMs, signal, ...told } = sendOptions(options);
    const envelope = this.envelope(to, intent, told);
    const way = this.way(envelope, route);
    // A mailbox of this bus has what it accepted.
    const last = way.node ? "received" : "accepted";
    if (isAtLeast(last, told.level)) return this.handOver(envelope, way, timeoutMs, signal);
    const { receipt } = await this.ask(envelope, way, timeoutMs, signal);
    return receipt;
  }

  async request(to, intent, options, priority) {
    const { route, timeoutMs, signal, ...told } = sendOptions(options);
    const envelope = this.envelope(to, intent, { priority: priority ?? told.priority, level: "answered" });
    const { answer } = await this.ask(envelope, this.way(envelope, route), timeoutMs, signal);
    if (!answer.envelope) throw fail.network("acknowledged, and never answered");
    this.intercepted("inbound", answer.envelope);
    return new Delivery(this, answer.envelope, answer.link);
  }

  /** Sends, and waits for what comes back. */
  async ask(envelope, way, timeoutMs = this.core.requestTimeoutMs, signal) {
    if (this.pending.size >= MAX_PENDING) throw this.failed(envelope, fail.queueFull(envelope.to));
    const { to, intent, level } = envelope;
    const by = now() + timeoutMs;
    const waiter = new Waiters();
    const entry = { to, name: intent.name, level, link: way.link, answer: undefined };
    entry.resolve = (answer) => {
      entry.answer ??= answer;
      waiter.admit();
    };
    this.pending.set(envelope.id, entry);
    try {
      const receipt = await this.handOver(envelope, way, timeoutMs, signal);
      const late = () => fail.timeout(to, timeoutMs);
      const answer = entry.answer ?? (await waiter.wait(() => entry.answer, Math.max(by - now(), 0), late, signal));
      if (answer.error) throw answer.error;
      return { receipt, answer };
    } catch (error) {
      this.counts.errors += 1;
      throw error;
    } finally {
      this.pending.delete(envelope.id);
    }
  }

  /** Answers; a peer that is closing still does. */
  async respond(delivery, intent) {
    if (this.phase === "ended") throw fail.closed(this.id);
    const options = { replyTo: delivery.id, priority: delivery.priority };
    const id = `${this.incarnation}.${this.nextSeq()}`;
    const envelope = envelopeOf(id, this.id, delivery.from, intent, options);
    const receipt = await this.handOver(envelope, this.way(envelope, "any"));
    this.owed.delete(`${delivery.from} ${delivery.id}`);
    return receipt;
  }

  // -- what comes back

  /** Something answers an envelope of this peer. Whether anybody waits for it. */
  resolve(envelope, link) {
    const entry = this.pending.get(envelope.replyTo);
    if (!entry || entry.to !== envelope.from) return false;
    const { name, payload } = envelope.intent;
    if (name === "sys.nack") entry.resolve({ error: errorOfReceipt(payload, entry.to, entry.name) });
    else if (name === "sys.ack") {
      const reached = payload === "handled" ? "handled" : "received";
      if (isAtLeast(reached, entry.level)) entry.resolve({ reached });
    } else if (entry.level !== "answered") return false;
    else entry.resolve({ envelope, link });
    return true;
  }

  /** What these wait for will not come. */
  failPending(fails, error) {
    for (const entry of this.pending.values()) if (fails(entry)) entry.resolve({ error: error(entry.to) });
  }

  // -- receiving

  /** Takes an envelope if there is room. Its payload is at most `len` long. */
  accept(envelope, link, len = textOfIntent(envelope.intent).length) {
    if (envelope.replyTo !== undefined) {
      if (!this.resolve(envelope, link)) this.#traceUnasked(envelope);
      return true;
    }
    if (this.#ignores(envelope)) return true;
    this.checkOpen();
    if (!this.mailbox.put({ envelope, link }, len)) return false;
    this.#run();
    return true;
  }

  /** What nobody waits for: a late answer, or that something was lost after it had been accepted. */
  #traceUnasked(envelope) {
    const { from, to, intent, replyTo: id } = envelope;
    const name = intent.name === "sys.nack" ? intent.payload?.name : undefined;
    const isOwn = Number(id.split(".")[0]) === this.incarnation;
    if (!isOwn || faultOfName(name)) return this.core.drops.trace(envelope, "late_reply");
    const reason = reasonOf(errorOfReceipt(intent.payload, from, name));
    this.core.drops.trace({ id, from: to, to: from, intent: unchecked(name, null) }, reason);
  }

  /** A protocol between peers that this one does not speak, and nobody waits for what becomes of it, takes no places. */
  #ignores({ intent, level, priority }) {
    if (priority !== "system" || level !== "accepted" || !isSystem(intent.name)) return false;
    return !this.handlers.some(({ matches }) => matches(intent.name));
  }

  #run() {
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => this.#serve());
  }

  /** Hands what has come to handlers, one at a time. */
  async #serve() {
    let [turns, since] = [0, now()];
    for (let item = this.mailbox.take(); item; item = this.mailbox.take()) {
      try {
        const future = this.#deliver(item);
        if (future) await future;
      } catch (error) {
        // A listener that is told of an error may throw anything, and stops nobody.
        report(error);
      }
      turns += 1;
      if (turns >= TURNS || now() - since > TURN_MS) {
        await new Promise(soon);
        [turns, since] = [0, now()];
      }
    }
    this.#running = false;
    this.#idle.admit();
  }

  #deliver({ envelope, link }) {
    if (this.phase === "ended") return this.leave(envelope, link);
    this.counts.delivered += 1;
    // From here on, sending the intent on is to reflect it.
    const arrived = { ...envelope, intent: intentOf(envelope.intent, envelope.hops + 1) };
    try {
      this.intercepted("inbound", arrived);
    } catch (error) {
      return this.core.refuse(arrived, link, error);
    }
    const delivery = new Delivery(this, arrived, link);
    if (delivery.name === "sys.ping") return void this.respond(delivery, unchecked("sys.pong", delivery.payload)).catch(() => {});
    if (arrived.level === "answered") this.#owe(arrived, link);
    const entries = this.handlers.filter((entry) => entry.matches(delivery.name));
    return this.#handle(delivery, arrived, link, entries, { runs: 0, error: undefined });
  }

  /** Runs handlers in order; a promise if one of them is a future. */
  #handle(delivery, envelope, link, entries, outcome) {
    for (const [at, entry] of entries.entries()) {
      if (entry.done) continue;
      if (entry.once) {
        entry.done = true;
        this.removeHandlers((other) => other === entry);
      }
      outcome.runs += 1;
      const result = this.#call(entry, delivery, outcome);
      if (result === undefined) continue;
      const failed = (error) => this.#failedHandler(error, delivery, outcome);
      const rest = () => this.#handle(delivery, envelope, link, entries.slice(at + 1), outcome);
      return result.catch(failed).then(rest);
    }
    return void this.#report(envelope, link, outcome);
  }

  /** A promise if the handler is a future. */
  #call(entry, delivery, outcome) {
    this.counts.calls += 1;
    this.isServing = true;
    try {
      return futureOf(entry.call(delivery));
    } catch (error) {
      return void this.#failedHandler(error, delivery, outcome);
    } finally {
      this.isServing = false;
    }
  }

  #failedHandler(error, delivery, outcome) {
    this.counts.errors += 1;
    outcome.error = fail.handlerFailed(this.id, wordsOf(error));
    if (this.errors.length > 0) this.errors.tell(error, delivery);
    else report(error);
  }

  #report(envelope, link, { runs, error }) {
    if (runs === 0) {
      this.core.drops.trace(envelope, "no_handler");
      error = fail.noHandler(this.id, envelope.intent.name);
    }
    if (!isAtLeast(envelope.level, "handled")) return;
    if (error) this.core.nack(envelope, link, error);
    else if (envelope.level === "handled") this.core.answer(envelope, link, "sys.ack", "handled");
  }

  #owe(envelope, link) {
    if (this.owed.size >= MAX_OWED) this.owed.delete(this.owed.keys().next().value);
    this.owed.set(`${envelope.from} ${envelope.id}`, [envelope, link]);
  }

  // -- the end

  /** Drops an envelope that it did not get to. */
  leave(envelope, link) {
    this.core.drops.trace(envelope, "closed");
    if (isAtLeast(envelope.level, "handled")) this.core.nack(envelope, link, fail.closed(this.id));
  }

  close(deadlineMs = CLOSE_TIMEOUT_MS) {
    this.#closing ??= this.#close(deadlineMs);
    if (!this.isServing) return this.#closing;
    // The handler that waits here is what would be waited for.
    this.#closing.catch(() => {});
    return Promise.resolve();
  }

  async #close(deadlineMs) {
    if (this.phase === "ended") return;
    this.phase = "closing";
    this.mailbox.close();
    const by = now() + deadlineMs;
    const late = () => fail.timeout(this.id, deadlineMs);
    const workedOff = () => (this.#running ? undefined : true);
    let error;
    if (this.#running) await this.#idle.wait(workedOff, deadlineMs, late).catch((timeout) => (error = timeout));
    this.#abandon();
    const closes = (link) => link.close(Math.max(by - now(), 0)).catch((timeout) => (error ??= timeout));
    // What a channel has may have to go over the relay.
    await Promise.all([...this.direct.values()].map(closes));
    if (this.link) await closes(this.link);
    this.end();
    if (error) throw error;
  }

  /** Tells all who wait that it ends. */
  #abandon() {
    for (const { envelope, link } of this.mailbox.drain()) this.leave(envelope, link);
    for (const [envelope, link] of this.owed.values()) this.core.nack(envelope, link, fail.closed(this.id));
    this.owed.clear();
  }

  /** Ends at once. Idempotent. */
  end() {
    if (this.phase === "ended") return;
    this.phase = "ended";
    this.mailbox.close();
    this.#abandon();
    this.core.leave(this);
    this.failPending(() => true, () => fail.closed(this.id));
    for (const link of this.direct.values()) link.end("closed");
    this.ends.tell(fail.closed(this.id));
    this.handlers = [];
    this.interceptors = { outbound: [], inbound: [] };
    if (this.link) this.link.end("closed");
    else this.states.tell({ state: "closed" });
    this.states.clear();
  }
}

const PEER_OPTIONS = {
  bus: (value) => value instanceof Bus,
  capacity: isCount,
  replace: isFlag,
  url: (value) => typeof value === "string" || value instanceof URL,
  token: (value) => typeof value === "string" || typeof value === "function",
  storage: (value) => value === null || typeof value.getItem === "function",
  heartbeatMs: (value) => isTime(value) && value >= 100 && value <= 120_000,
  firstRetryMs: isTime,
  longestRetryMs: isTime,
  giveUpMs: isTime,
  queueFrames: isCount,
  queueBytes: isCount,
  WebSocket: (value) => typeof value === "function",
};

let nodeOf;

/**
 * A peer: what sends, and what is sent to. On the bus of its page, and with `url` in reach of all that a relay or server reaches.
 *
 * There is no broadcast, by design: receivers that send on what they get would do so without end. A group is sent to through a
 * Mesh. What is sent to one peer with one priority arrives in the order of sending, at most once.
 */
export class Peer {
  #node;
  #bus;

  constructor(id, options = {}) {
    checkPeerId(id);
    const { bus = new Bus(), url, capacity, replace, ...rest } = checkOptions(options, PEER_OPTIONS);
    this.#bus = bus;
    if (url === undefined) {
      this.#node = new Node(coreOf(bus), id, { capacity, replace });
      return;
    }
    const address = addressOf(url);
    if (!(rest.WebSocket ?? globalThis.WebSocket)) throw new TypeError("there is no WebSocket here: give one as an option");
    const memory = new Memory(rest.storage, address, id);
    this.#node = new Node(coreOf(bus), id, { capacity, replace, hasLink: true, after: memory.incarnation });
    this.#node.link = new Link(this.#node, address, memory, rest);
    this.#node.link.dial();
  }

  static {
    nodeOf = (peer) => peer.#node;
  }

  /** A peer whose link is up. */
  static async connect(id, options) {
    const peer = new Peer(id, options);
    try {
      await peer.connected();
      return peer;
    } catch (error) {
      await peer.close(0);
      throw error;
    }
  }

  get id() { return this.#node.id; }
  get incarnation() { return this.#node.incarnation; }
  get bus() { return this.#bus; }
  get isClosed() { return !this.#node.isOpen; }
  /** How its link is: `connecting`, `up`, `closing`, `closed`; `local` without one. */
  get state() { return this.#node.phase === "ended" ? "closed" : (this.#node.link?.state ?? "local"); }
  /** How long the last heartbeat took, there and back. */
  get roundTripMs() { return this.#node.link?.roundTripMs; }
  /** What it has done, and what waits for it. */
  get stats() {
    const { counts, mailbox, pending, link } = this.#node;
    return { ...counts, queued: mailbox.length, pending: pending.size, unacknowledged: link?.queued ?? 0 };
  }

  /** Waits until its link is up; throws why it will not be. */
  async connected() {
    await this.#node.link?.connected();
  }

  /** Registers a handler for a name or pattern. Handlers run one at a time, in the order of registration. */
  on(pattern, handler) { return this.#node.register(pattern, handler, false); }
  /** Registers a handler for the next delivery alone. It is removed before it runs. */
  once(pattern, handler) { return this.#node.register(pattern, handler, true); }
  /** Registers a handler for all names but the reserved ones. */
  onAny(handler) { return this.#node.register(">", handler, false); }

  /** Removes all handlers of exactly that pattern, and says how many those were. */
  off(pattern) {
    return this.#node.removeHandlers((entry) => entry.pattern === pattern);
  }

  /** Sends `intent, options` or `name, payload, options`, waiting for room, and for what `options.level` wants. */
  async send(to, what, ...rest) {
    const [intent, options] = said(what, rest);
    return this.#node.send(to, intent, options);
  }

  /** Sends if there is room now. */
  trySend(to, what, payload) {
    const [intent] = said(what, [payload]);
    return this.#node.trySend(to, intent);
  }

  /** Sends a text under a name. */
  async sendText(to, name, text, options) {
    if (typeof text !== "string") throw fail.serialization("it is no text");
    return this.#node.send(to, new Intent(name, text), options);
  }

  /** Asks, and waits for the answer: a Delivery. */
  async request(to, what, ...rest) {
    const [intent, options] = said(what, rest);
    return this.#node.request(to, intent, options);
  }

  /** Answers a delivery with an intent of one's own, where `Delivery.respond` keeps the name. */
  async respond(delivery, what, payload) {
    const [intent] = said(what, [payload]);
    return this.#node.respond(delivery, intent);
  }

  /** Whether a peer answers, and how many ms that took. */
  async ping(to, timeoutMs) {
    const begin = now();
    await this.#node.request(to, unchecked("sys.ping", null), { timeoutMs }, "system");
    return now() - begin;
  }

  /** Whether a peer is on the bus, or a link that is up told of it or brought something of it. */
  reachable(id) {
    return this.#node.core.reaches(this.#node, id);
  }

  /** Waits until a peer is reachable. */
  async waitFor(id, timeoutMs = this.#node.core.requestTimeoutMs) {
    checkPeerId(id);
    if (this.reachable(id)) return;
    if (this.#node.phase === "ended") throw fail.closed(this.id);
    const waiters = new Waiters();
    // Who is known is reachable when the link is up.
    const subscriptions = [this.#node.core.names, this.#node.states].map((told) => told.add(() => waiters.admit()));
    const late = () => fail.nodeNotFound(id);
    try {
      await waiters.wait(() => this.reachable(id) || undefined, timeoutMs, late, undefined, this.#node.ends);
    } finally {
      subscriptions.forEach((subscription) => subscription.cancel());
    }
  }

  /** All others that are on the bus or told of by its links, in order. */
  peers() {
    return [...this.#node.core.present(this.#node).keys()].sort();
  }

  /** Peers that came (`up`) and went (`down`). */
  onPeer(listener) { return this.#node.core.names.add(listener); }
  /** How its link is, after each change: `{ state, error, retryInMs }`. */
  onState(listener) { return this.#node.states.add(listener); }
  /** Envelopes that were dropped on its bus. */
  onDrop(listener) { return this.#bus.onDrop(listener); }
  /** Errors of handlers; without a listener the environment reports them. */
  onError(listener) { return this.#node.errors.add(listener); }
  /** Sees all that it sends; a text that it returns refuses it, an Intent replaces it. */
  interceptOutbound(interceptor) { return this.#node.intercept("outbound", interceptor); }
  /** Sees all that it gets before handlers do; a text that it returns refuses it, an Intent replaces it. */
  interceptInbound(interceptor) { return this.#node.intercept("inbound", interceptor); }

  /**
   * Sends and takes nothing more, works off what it has, waits until the server has what was sent, and leaves. What is left after
   * the deadline is dropped, and the error is `Timeout`. In a handler of the same peer it returns at once.
   */
  async close(deadlineMs = CLOSE_TIMEOUT_MS) {
    return this.#node.close(deadlineMs);
  }

  toString() {
    return `Peer[${this.id}:${this.#node.link ? "websocket" : "bus"}]`;
  }
}

// ------------------------------------------------------------------------------------------------------------- websocket

/** What a page that is loaded again has to know to be the same peer. */
class Memory {
  #storage;
  #key;
  reclaim;
  incarnation = 0;

  constructor(storage, url, id) {
    this.#key = `shiome-bus ${id} ${url}`;
    try {
      // Pages that may not store throw already here.
      this.#storage = storage === undefined ? globalThis.sessionStorage : storage;
      const { reclaim, incarnation } = JSON.parse(this.#storage?.getItem(this.#key) ?? "{}");
      if (typeof reclaim === "string") this.reclaim = reclaim;
      if (isNumber(incarnation)) this.incarnation = incarnation;
    } catch {
      // Nothing is known then, and the name is claimed like a new one.
    }
  }

  keep(reclaim, incarnation) {
    this.reclaim = reclaim;
    this.#store((storage) => storage.setItem(this.#key, JSON.stringify({ reclaim, incarnation })));
  }

  forget() {
    this.reclaim = undefined;
    this.#store((storage) => storage.removeItem(this.#key));
  }

  #store(change) {
    try {
      if (this.#storage) change(this.#storage);
    } catch {
      // A full or forbidden storage costs the reclaim after a reload, and nothing else.
    }
  }
}

/** What waits to be sent on a session, and what was sent and may have to be sent again. */
class Outbox {
  #lanes = { system: new Fifo(), normal: new Fifo(), bulk: new Fifo() };
  /** Numbered in the order of sending, from the first that is not acknowledged. */
  #numbered = new Fifo();
  #sent = 0;
  #acknowledged = 0;
  /** Sent, not acknowledged, and no longer here: their numbers come before those of the rest. */
  #gone = 0;
  #bytes = 0;

  constructor(frames, bytes) {
    Object.assign(this, { frames, bytes });
  }

  get length() {
    return this.#numbered.length + PRIORITIES.reduce((sum, lane) => sum + this.#lanes[lane].length, 0);
  }

  /** Whether there was room. One always finds room in an empty queue. */
  push(kept) {
    const { length } = this;
    // What somebody waits for is not kept out by what nobody does.
    const isUrgent = kept.envelope.replyTo !== undefined || kept.envelope.priority === "system";
    const part = isUrgent ? 1 + 1 / RESERVED_PART : 1;
    if (length > 0 && (length >= this.frames * part || this.#bytes + kept.len > this.bytes * part)) return false;
    this.#bytes += kept.len;
    this.#lanes[kept.envelope.priority].push(kept);
    return true;
  }

  /** The next to be sent, if its length is at most `room`. */
  next(room) {
    let kept = this.#numbered.at(this.#sent);
    if (!kept) {
      const lane = PRIORITIES.find((priority) => this.#lanes[priority].length > 0);
      kept = lane && this.#lanes[lane].at(0);
      if (!kept || kept.len > room) return undefined;
      this.#numbered.push(this.#lanes[lane].shift());
    } else if (kept.len > room) return undefined;
    this.#sent += 1;
    return kept.text;
  }

  get hasNext() {
    return this.length > this.#sent;
  }

  /** The other end has had so many: whether those are more. Throws when that is more than was sent. */
  acknowledge(received) {
    const news = received - this.#acknowledged;
    must(news <= this.#gone + this.#sent, "ack");
    if (news <= 0) return false;
    const held = Math.max(news - this.#gone, 0);
    for (let n = 0; n < held; n += 1) this.#bytes -= this.#numbered.shift().len;
    this.#gone -= news - held;
    this.#sent -= held;
    this.#acknowledged += news;
    return true;
  }

  /** Takes the first out that was sent and is not acknowledged. What is left is for a new session. */
  giveUpFirst() {
    const first = this.#sent > 0 ? this.#numbered.shift() : undefined;
    if (!first) return undefined;
    this.#bytes -= first.len;
    this.#sent -= 1;
    return first.envelope;
  }

  /** The session goes on over another connection. */
  resume(received) {
    this.#sent = this.#numbered.length;
    this.acknowledge(received);
    this.#sent = 0;
  }

  /** A new session: all is sent again. What is longer than `maxLen` is taken out. */
  restart(maxLen) {
    const longer = [];
    const keep = (queue) => {
      for (const kept of queue.drain()) {
        if (kept.len <= maxLen) queue.push(kept);
        else {
          this.#bytes -= kept.len;
          longer.push(kept.envelope);
        }
      }
    };
    [this.#numbered, ...PRIORITIES.map((lane) => this.#lanes[lane])].forEach(keep);
    [this.#sent, this.#gone, this.#acknowledged] = [0, 0, 0];
    return longer;
  }

  /** Takes all out. The session may go on: what was sent counts in it. */
  drain() {
    const kept = [this.#numbered, ...PRIORITIES.map((lane) => this.#lanes[lane])].flatMap((queue) => queue.drain());
    [this.#gone, this.#sent, this.#bytes] = [this.#gone + this.#sent, 0, 0];
    return kept.map(({ envelope }) => envelope);
  }
}

const REASON_OF_CODE = new Map([
  [1000, "closed"],
  [1001, "going-away"],
  [1012, "going-away"],
  [4100, "name-taken"],
  [4101, "unauthorized"],
  [4102, "unsupported-version"],
  [4103, "limit"],
  [4104, "stale"],
  [4105, "malformed"],
  [4106, "replaced"],
  [4107, "unresponsive"],
  [4108, "policy"],
  [4109, "overload"],
]);
const CODE_OF_REASON = new Map([...REASON_OF_CODE].map(([code, reason]) => [reason, code]));
/** After these a client does not dial again, unless the server says when. */
const FINAL = ["closed", "name-taken", "unauthorized", "unsupported-version", "limit", "stale", "replaced", "policy"];

/** What the end of a link means to who uses it. */
function errorOfReason(reason, id, detail) {
  if (["name-taken", "stale", "replaced"].includes(reason)) return fail.nameTaken(id, reason);
  if (["unauthorized", "policy"].includes(reason)) return fail.unauthorized(detail || reason);
  if (reason === "closed") return fail.closed(id);
  return fail.network(detail ? `${reason}, ${detail}` : reason);
}

/** The address of a WebSocket; one that is relative is of the page's host. */
function addressOf(url) {
  const address = new URL(url, globalThis.location?.href);
  address.protocol = address.protocol.replace(/^http/, "ws");
  address.hash = "";
  return address.href;
}

/**
 * The link of a peer to a server or relay, over all the connections that it takes.
 *
 *     connecting ── welcome, snapshot ──► up ── close ──► closing ──► closed
 *       ▲   │ refused for good            │                             ▲
 *       │   └─────────────────────────────┼─────────────────────────────┘
 *       └───────────── lost ──────────────┘
 */
class Link {
  kind = "websocket";
  state = "connecting";
  /** Why it is not up, once there was a reason. */
  error = undefined;
  /** Receipts that wait for room. */
  #receipts = 0;
  /** Who waits for room, or for the link to be up for the first time. */
  waiters = new Waiters();
  /** Who is behind it, in which run. */
  peers = new Map();
  isGateway = false;
  roundTripMs = undefined;
  /** Those of them of whom something came, and whom the server has not told of. */
  #learned = new Set();
  /** The last runs that the server said have ended: what they have sent may come later than that. */
  #ended = new Map();
  #isPartial = true;
  /** The frames of a snapshot that is not complete. */
  #snapshot = [];
  #wasUp = false;
  #upWaiters = new Waiters();
  #flushedWaiters = new Waiters();

  #socket;
  /** The server has said welcome, or not yet, on the connection that there is. */
  #isOpen = false;
  #timers = { dial: undefined, opening: undefined, heartbeat: undefined, ack: undefined, patience: undefined };
  #maxMessage = MAX_MESSAGE_LEN;
  #interval = HEARTBEAT_MS;
  #heard = 0;
  /** Since when a ping of ours waits for anything to come. */
  #asked;
  #pinged;
  #pings = 0;

  // What is to be sent besides envelopes.
  #ping;
  #pong;
  #news;
  #isAckDue = false;
  #isFlushing = false;

  // The session.
  #session = 0;
  /** Whether it may go on over another connection. */
  #mayResume = false;
  #received = 0;
  #acknowledged = 0;
  #newsLen = 0;
  /** What has come and waits for room in a mailbox. It is not acknowledged yet, so the server sends no more than its window. */
  #inbound = new Fifo();
  /** How many of those are of this session. */
  #held = 0;

  #bound;
  #since = now();
  #upSince = 0;
  #retryMs = 0;
  #namesTaken = 0;
  #malformed = 0;

  constructor(node, url, memory, options) {
    const { token, heartbeatMs = HEARTBEAT_MS, firstRetryMs = FIRST_RETRY_MS, longestRetryMs = LONGEST_RETRY_MS } = options;
    const { giveUpMs = GIVE_UP_MS, queueFrames = QUEUE_FRAMES, queueBytes = QUEUE_BYTES } = options;
    Object.assign(this, { node, url, memory, token, heartbeatMs, firstRetryMs, longestRetryMs, giveUpMs });
    this.WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.outbox = new Outbox(queueFrames, queueBytes);
    this.#bound = firstRetryMs;
    this.online = () => this.#dialNow();
    globalThis.addEventListener?.("online", this.online);
  }

  get isUp() {
    return this.state === "up" || this.state === "closing";
  }

  get queued() {
    return this.outbox.length;
  }

  /** Whether somebody is known to be behind it. */
  reaches(id) {
    return this.peers.has(id);
  }

  /** Why nothing can be sent now, or undefined. */
  notUp(to) {
    return this.isUp ? undefined : fail.notConnected(to, this.error);
  }

  async connected() {
    const arrived = () => {
      if (this.state === "closed") throw this.error;
      return this.state === "up" || undefined;
    };
    const late = () => fail.timeout(this.node.id, MAX_TIMER_MS);
    if (!arrived()) await this.#upWaiters.wait(arrived, MAX_TIMER_MS, late);
  }

  #become(state, more) {
    this.state = state;
    this.waiters.admit();
    this.#upWaiters.admit();
    this.#flushedWaiters.admit();
    this.node.states.tell({ state, ...more });
  }

  // -- sending

  /** Takes an envelope of the bus if there is room. */
  offer(envelope) {
    // Before the link was up for the first time nobody can know who is there.
    if (this.state === "connecting" && !this.#wasUp) return false;
    const down = this.notUp(envelope.to);
    if (down) throw down;
    if (!this.#isPartial && !this.reaches(envelope.to)) throw fail.nodeNotFound(envelope.to);
    return this.push(envelope);
  }

  /** Takes an envelope, whoever it is for, if the link is up and has room. */
  push(envelope) {
    if (!this.isUp) return false;
    const text = encodeEnvelope(envelope);
    const len = lenOf(text) + 2;
    if (len > this.#maxMessage) {
      const payload = lenOf(textOfIntent(envelope.intent));
      throw fail.tooLarge(payload, Math.max(this.#maxMessage - (len - payload), 0));
    }
    const pushed = this.outbox.push({ envelope, text, len });
    if (pushed) this.#flushSoon();
    return pushed;
  }

  /** Takes what somebody waits for, now or as soon as there is room. If the link is down, the sender is told so. */
  pushReceipt(envelope) {
    if (this.push(envelope) || !this.isUp) return;
    if (this.#receipts >= MAX_RECEIPTS) return void this.node.core.failed(envelope, fail.queueFull(envelope.to));
    this.#receipts += 1;
    const attempt = () => {
      if (!this.isUp) throw fail.notConnected(envelope.to);
      return this.push(envelope) || undefined;
    };
    const waits = this.waiters.wait(attempt, this.node.core.requestTimeoutMs, () => fail.queueFull(envelope.to));
    waits.catch((error) => this.node.core.failed(envelope, error)).finally(() => (this.#receipts -= 1));
  }

  #flushSoon() {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    soon(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  /** Sends all that is to be sent. */
  #flush() {
    for (let message = this.#message(); message !== undefined; message = this.#message()) this.#socket.send(message);
  }

  /** The next message: what the link itself says, and envelopes up to the length of a batch. A longer one goes alone. */
  #message() {
    if (!this.#isOpen) return undefined;
    const frames = this.#ownFrames();
    let len = frames.reduce((sum, frame) => sum + frame.length + 1, 1);
    const limit = Math.min(BATCH_LEN, this.#maxMessage);
    while (this.isUp && frames.length < MAX_FRAMES) {
      const text = this.outbox.next(frames.length === 0 ? Infinity : limit - len);
      if (text === undefined) break;
      frames.push(text);
      len += lenOf(text) + 1;
    }
    return frames.length > 0 ? `[${frames.join(",")}]` : undefined;
  }

  #ownFrames() {
    const frames = [];
    if (this.#pong !== undefined) frames.push(`{"type":"pong","nonce":${this.#pong}}`);
    if (this.#ping !== undefined) frames.push(`{"type":"ping","nonce":${this.#ping}}`);
    if (this.#news) frames.push(this.#presence());
    [this.#pong, this.#ping, this.#news] = [undefined, undefined, undefined];
    const taken = this.#received - this.#held;
    const rides = this.#isAckDue || frames.length > 0 || this.outbox.hasNext;
    if (rides && taken > this.#acknowledged) {
      frames.push(`{"type":"ack","received":${taken}}`);
      [this.#acknowledged, this.#newsLen, this.#isAckDue] = [taken, 0, false];
      this.#stop("ack");
    }
    return frames;
  }

  /** Something was taken that is to be acknowledged. */
  #acknowledgeLater() {
    const news = this.#received - this.#held - this.#acknowledged;
    if (news >= ACK_ENVELOPES || (news > 0 && this.#newsLen >= ACK_LEN)) this.#acknowledgeNow();
    else if (news > 0) this.#timers.ack ??= setTimeout(() => this.#acknowledgeNow(), ACK_DELAY_MS);
  }

  #acknowledgeNow() {
    this.#stop("ack");
    this.#isAckDue = true;
    this.#flushSoon();
  }

  /** Who else is on the bus, for a server that lets this link speak for them. */
  #presence() {
    const { all, runs } = this.#news;
    const present = [...runs].filter(([, run]) => run !== undefined);
    const absent = [...runs.keys()].filter((id) => runs.get(id) === undefined);
    return JSON.stringify({ type: "presence", all: all || undefined, present, absent });
  }

  /** A peer of the bus came or went. Those with a link of their own speak for themselves. */
  localPeer(node, here) {
    if (!this.isGateway || !this.#isOpen || node === this.node || node.hasLink) return;
    this.#news ??= { all: false, runs: new Map() };
    if (this.#news.runs.size < MAX_PRESENCE) this.#news.runs.set(node.id, here ? node.incarnation : undefined);
    this.#flushSoon();
  }

  // -- connecting

  #stop(timer) {
    clearTimeout(this.#timers[timer]);
    this.#timers[timer] = undefined;
  }

  /** Opens a connection. */
  async dial() {
    this.#stop("dial");
    let token = this.token;
    try {
      if (typeof token === "function") token = await token();
    } catch (cause) {
      return this.#lost("lost", `no token: ${wordsOf(cause)}`);
    }
    if (this.state !== "connecting") return;
    let socket;
    try {
      socket = new this.WebSocket(this.url, SUBPROTOCOL);
    } catch (cause) {
      return this.end("lost", String(cause?.message ?? cause));
    }
    this.#socket = socket;
    // What an earlier connection still says is nothing to this one.
    const current = (handle) => (event) => void (socket === this.#socket && handle(event));
    socket.onopen = current(() => socket.send(this.#hello(token)));
    socket.onmessage = current(({ data }) => this.#hear(data));
    socket.onclose = current(({ code, reason }) => {
      const why = REASON_OF_CODE.get(code) ?? "lost";
      this.#accused(why);
      this.#lost(why, reason || `code ${code}`);
    });
    socket.onerror = () => {};
    this.#timers.opening = setTimeout(() => this.#hangUp("unresponsive", "no welcome"), OPENING_TIMEOUT_MS);
  }

  /** Waits no longer to dial: the network is back. */
  #dialNow() {
    if (this.#timers.dial !== undefined) this.dial();
  }

  #hello(token) {
    const hello = {
      type: "hello",
      version: VERSION,
      id: this.node.id,
      incarnation: this.node.incarnation,
      token,
      reclaim: this.memory.reclaim,
      received: this.#mayResume ? this.#received : undefined,
      encodings: ["json"],
      max_message: MAX_MESSAGE_LEN,
      heartbeat_ms: this.heartbeatMs,
    };
    return JSON.stringify([hello]);
  }

  /** The server's first word. */
  #open(frames) {
    const [first] = frames;
    if (first?.type === "refused") {
      this.#retryMs = first.retryMs ?? 0;
      return this.#hangUp(first.reason, first.detail);
    }
    must(first?.type === "welcome" && frames.length === 1, "no welcome");
    if (first.version < 1 || first.version > VERSION) return this.#hangUp("unsupported-version");
    if (first.id === this.node.id) return this.#hangUp("name-taken");
    this.#stop("opening");
    [this.#maxMessage, this.#interval, this.isGateway] = [first.maxMessage, first.heartbeatMs, first.gateway];
    if (first.resumed && this.#mayResume) this.outbox.resume(first.received);
    else this.#restart();
    [this.#acknowledged, this.#isAckDue] = [this.#received - this.#held, false];
    [this.#isOpen, this.#isPartial, this.#namesTaken, this.#upSince] = [true, true, 0, now()];
    this.memory.keep(first.reclaim, this.node.incarnation);
    this.#asked = undefined;
    this.#timers.heartbeat = setTimeout(() => this.#beat(), this.#interval);
    if (!this.isGateway) return;
    this.#news = { all: true, runs: new Map() };
    for (const node of this.node.core.nodes.values()) this.localPeer(node, true);
  }

  /** A session that begins: all that was not acknowledged is sent again. */
  #restart() {
    for (const envelope of this.outbox.restart(this.#maxMessage)) this.node.core.drops.trace(envelope, "payload_too_large");
    this.#session += 1;
    this.#mayResume = true;
    [this.#received, this.#held, this.#newsLen] = [0, 0, 0];
  }

  /** The link can be used once the server has told who is there, which it does first. */
  #up() {
    this.#wasUp = true;
    this.error = undefined;
    this.#become("up");
    this.#flushSoon();
  }

  // -- hearing

  #hear(data) {
    this.#heard = now();
    this.#asked = undefined;
    try {
      must(typeof data === "string", "no text");
      must(data.length <= MAX_MESSAGE_LEN, "a message is longer than agreed");
      const frames = decode(data);
      if (!this.#isOpen) return this.#open(frames);
      this.#take(frames, data.length);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.node.core.drops.count("malformed");
      return this.#hangUp("malformed", error.message);
    }
    // Timers of hidden pages are slow: what is due is looked at now.
    if (this.#ping !== undefined || this.#pong !== undefined) this.#flush();
  }

  #take(frames, len) {
    const presence = [];
    let envelopes = 0;
    for (const frame of frames) {
      if (frame.type === "goodbye") {
        this.#accused(frame.reason);
        return this.#hangUp(frame.reason, frame.detail, false);
      }
      if (frame.type === "presence") presence.push(frame);
      else if (frame.type === "envelope") {
        envelopes += 1;
        this.#received += 1;
        this.#takeEnvelope(frame, len);
      } else this.#takeFrame(frame);
    }
    this.#gather(presence);
    if (this.state === "connecting" && this.#snapshot.length === 0) this.#up();
    this.#newsLen += envelopes > 0 ? len : 0;
    this.#acknowledgeLater();
  }

  #takeFrame(frame) {
    switch (frame.type) {
      case "ack":
        if (this.outbox.acknowledge(frame.received)) this.#malformed = 0;
        this.waiters.admit();
        this.#flushedWaiters.admit();
        break;
      case "ping":
        this.#pong = frame.nonce;
        break;
      case "pong":
        if (this.#pinged?.nonce === frame.nonce) this.roundTripMs = now() - this.#pinged.at;
        break;
      case "refused":
        // Of a peer that this link may not speak for.
        this.node.states.tell({ state: this.state, error: errorOfReason(frame.reason, frame.id, frame.detail) });
        break;
      default:
        throw new Malformed(`a ${frame.type} here`);
    }
  }

  /** Nobody is gone who is in a later frame of the same snapshot. */
  #gather(frames) {
    this.#snapshot.push(...frames);
    must(this.#snapshot.length <= MAX_SNAPSHOT, "a snapshot without end");
    if (this.#snapshot.at(-1)?.more !== false) return;
    this.#takePresence(this.#snapshot);
    this.#snapshot = [];
  }

  #takePresence(frames) {
    const before = this.peers;
    this.peers = new Map(before);
    for (const frame of frames) {
      if (frame.all) this.#forgetPeers(frame.partial);
      if (frame.all || frame.partial) this.#isPartial = frame.partial;
      for (const id of frame.absent) {
        this.peers.delete(id);
        this.#learned.delete(id);
      }
      for (const [id, run] of frame.present) {
        this.peers.set(id, run);
        this.#learned.delete(id);
        this.#ended.delete(id);
      }
    }
    for (const [id, run] of before) {
      if (this.peers.get(id) === run) continue;
      this.#end(id, run);
      this.#gone(id, run);
    }
    for (const [id, run] of this.peers) if (before.get(id) !== run) this.#came(id, run);
  }

  /** A snapshot begins. One that does not tell of all does not say that anybody is gone: those are known as if they had spoken. */
  #forgetPeers(isPartial) {
    this.#learned = new Set(isPartial ? this.peers.keys() : []);
    if (!isPartial) this.peers = new Map();
    while (this.#learned.size > MAX_LEARNED) {
      const [first] = this.#learned;
      this.#learned.delete(first);
      this.peers.delete(first);
    }
  }

  /** Whether the server said so. One that does not tell of all does not tell either when somebody is back. */
  hasEnded(id, run) {
    return !this.#isPartial && this.#ended.get(id) >= run;
  }

  #end(id, run) {
    this.#ended.delete(id);
    this.#ended.set(id, run);
    if (this.#ended.size > MAX_LEARNED) this.#ended.delete(this.#ended.keys().next().value);
  }

  #came(id, incarnation) {
    this.node.core.names.tell({ type: "up", id, incarnation });
  }

  /** A run of a peer has ended. Nobody answers any longer, unless there is a later one: that may have been asked already. */
  #gone(id, incarnation) {
    const { core } = this.node;
    const waits = (entry) => entry.link === this && entry.to === id;
    if (!this.peers.has(id)) for (const node of core.nodes.values()) node.failPending(waits, fail.closed);
    core.names.tell({ type: "down", id, incarnation });
  }

  /** An envelope: whether it may come in, whether it is new, and for whom it is. */
  #takeEnvelope(envelope, len) {
    const { core } = this.node;
    const { from, to, intent, replyTo } = envelope;
    const asker = replyTo === undefined ? undefined : core.nodes.get(to);
    const waiting = asker?.pending.get(replyTo);
    const isAwaitedHere = waiting?.to === from && waiting.link === this;
    if (core.nodes.has(from) && !isAwaitedHere) return core.drops.trace(envelope, "echo");
    if (len > core.maxPayload) {
      const payload = lenOf(textOfIntent(intent));
      if (payload > core.maxPayload) {
        const error = fail.tooLarge(payload, core.maxPayload);
        // Who asked will get no answer.
        if (isAwaitedHere) waiting.resolve({ error });
        return core.refuse(envelope, this, error);
      }
    }
    if (!core.seen.first(envelope)) return core.drops.trace(envelope, "duplicate");
    envelope.priority = laneOf(envelope);
    // Receipts also come from who speaks in the place of a peer.
    if (replyTo !== undefined) return void this.#deliver(envelope);
    this.#learn(envelope);
    this.#held += 1;
    this.#inbound.push({ envelope, session: this.#session, len });
    this.deliverHeld();
  }

  /** The way back to who was not told of, or not yet in this run. */
  #learn({ from, id }) {
    const [run, known] = [Number(id.split(".")[0]), this.peers.get(from)];
    if (known >= run || this.node.core.nodes.has(from) || this.hasEnded(from, run)) return;
    this.peers.set(from, run);
    if (known === undefined) {
      this.#learned.add(from);
      if (this.#learned.size > MAX_LEARNED) this.#unlearn(this.#learned.values().next().value);
    } else this.#gone(from, known);
    this.#came(from, run);
  }

  #unlearn(id) {
    const run = this.peers.get(id);
    this.#learned.delete(id);
    this.peers.delete(id);
    this.#gone(id, run);
  }

  /** Hands over what has come, as far as there is room. */
  deliverHeld() {
    while (this.#inbound.length > 0) {
      const { envelope, len } = this.#inbound.at(0);
      if (!this.#deliver(envelope, len)) {
        this.node.core.holding.add(this);
        this.#timers.patience ??= setTimeout(() => this.#impatient(), INBOUND_PATIENCE_MS);
        return;
      }
      this.#shiftHeld();
    }
    this.node.core.holding.delete(this);
  }

  #shiftHeld() {
    this.#stop("patience");
    const { envelope, session } = this.#inbound.shift();
    if (session === this.#session) this.#held -= 1;
    this.#acknowledgeLater();
    return envelope;
  }

  /** A mailbox had no room for too long, or the page stood still: then a handler has a turn to end, and its peer one to go on. */
  #impatient() {
    const held = this.#inbound.at(0);
    const judge = () => this.#inbound.at(0) === held && this.#timers.patience !== undefined && this.#dropHeld();
    soon(() => soon(judge));
  }

  /** A mailbox had no room for too long: others wait behind it. */
  #dropHeld() {
    const envelope = this.#shiftHeld();
    this.node.core.refuse(envelope, this, fail.queueFull(envelope.to));
    this.deliverHeld();
  }

  /** To the peer if it is on the bus; else it is dropped, and never goes back to a link. Whether it is dealt with. */
  #deliver(envelope, len) {
    const { core } = this.node;
    const node = core.nodes.get(envelope.to);
    try {
      if (!node) throw fail.nodeNotFound(envelope.to);
      // A message may be of many envelopes: then each is looked at.
      if (!node.accept(envelope, this, len <= MAILBOX_PLACE_LEN ? len : undefined)) return false;
      if (envelope.level === "received" && isAwaited(envelope)) core.answer(envelope, this, "sys.ack", "received");
    } catch (error) {
      core.refuse(envelope, this, error);
    }
    return true;
  }

  // -- the end of a connection, and of the link

  /** Pings after one interval of silence, and gives up after another. */
  #beat() {
    const time = now();
    if (this.#asked !== undefined && time - this.#asked >= this.#interval) return this.#hangUp("unresponsive");
    if (this.#asked === undefined && time - this.#heard >= this.#interval) {
      this.#pings += 1;
      [this.#ping, this.#asked, this.#pinged] = [this.#pings, time, { nonce: this.#pings, at: time }];
      this.#flush();
    }
    const due = (this.#asked ?? this.#heard) + this.#interval - time;
    this.#timers.heartbeat = setTimeout(() => this.#beat(), Math.max(due, 1));
  }

  /** The server ends the connection. One that calls malformed what we say is not told the same for ever. */
  #accused(reason) {
    if (reason !== "malformed") return;
    this.#malformed += 1;
    if (this.#malformed < MAX_MALFORMED) return;
    const given = this.outbox.giveUpFirst();
    if (!given) return;
    [this.#malformed, this.#mayResume] = [0, false];
    this.node.core.drops.trace(given, "malformed");
  }

  /** Ends the connection from here. */
  #hangUp(reason, detail, saysGoodbye = this.#isOpen) {
    this.#shut(reason, saysGoodbye);
    this.#lost(reason, detail);
  }

  /** Closes the connection, without waiting for that. */
  #shut(reason, saysGoodbye = this.#isOpen) {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    try {
      if (saysGoodbye && socket.readyState === 1) socket.send(JSON.stringify([{ type: "goodbye", reason }]));
      const code = CODE_OF_REASON.get(reason);
      if (code === 1000 || code > 4000) socket.close(code);
      else socket.close();
    } catch {
      // It is closed then.
    }
  }

  /** The connection is over. */
  #lost(reason, detail) {
    if (this.state === "closed") return;
    this.#disconnect();
    if (this.state === "closing") return this.end("closed");
    const retryMs = this.#retryMs;
    this.#retryMs = 0;
    this.#namesTaken += reason === "name-taken" ? 1 : 0;
    const isFinal = FINAL.includes(reason) && !(retryMs > 0 && this.#namesTaken < MAX_NAME_TAKEN);
    const waitMs = retryMs + Math.random() * this.#bound;
    this.#bound = Math.min(this.#bound * 2, this.longestRetryMs);
    if (isFinal || now() + waitMs - this.#since >= this.giveUpMs) return this.end(reason, detail);
    this.error = errorOfReason(reason, this.node.id, detail);
    this.#timers.dial = setTimeout(() => this.dial(), Math.min(waitMs, MAX_TIMER_MS));
    this.#become("connecting", { error: this.error, retryInMs: waitMs });
  }

  /** Forgets what was true of the connection only. */
  #disconnect() {
    ["dial", "opening", "heartbeat", "ack"].forEach((timer) => this.#stop(timer));
    if (this.#isOpen) {
      this.#since = now();
      if (this.#since - this.#upSince > this.#bound) this.#bound = this.firstRetryMs;
    }
    [this.#socket, this.#isOpen, this.#snapshot] = [undefined, false, []];
    [this.#ping, this.#pong, this.#news] = [undefined, undefined, undefined];
    const peers = this.peers;
    this.peers = new Map();
    this.#learned.clear();
    const { core } = this.node;
    for (const node of core.nodes.values()) node.failPending((entry) => entry.link === this, fail.notConnected);
    for (const [id, run] of peers) this.#gone(id, run);
  }

  /** Waits until the server has all that was sent, says goodbye and ends. */
  async close(deadlineMs) {
    const left = () => (this.outbox.length === 0 || !this.isUp ? true : undefined);
    const late = () => fail.timeout(this.node.id, deadlineMs);
    try {
      if (this.state === "up") {
        this.#become("closing");
        // The answer brings the acknowledgement along.
        this.#ping = 0;
        this.#flushSoon();
        if (!left()) await this.#flushedWaiters.wait(left, deadlineMs, late);
      }
      if (this.outbox.length > 0) throw late();
    } finally {
      this.end("closed");
    }
  }

  /** Ends for good. What was not acknowledged may have arrived or not. Idempotent. */
  end(reason, detail) {
    if (this.state === "closed") return;
    if (reason === "closed") this.#flush();
    this.#shut(reason);
    this.#disconnect();
    this.#stop("patience");
    this.node.core.holding.delete(this);
    globalThis.removeEventListener?.("online", this.online);
    if (reason === "closed") this.memory.forget();
    this.error = errorOfReason(reason, this.node.id, detail);
    for (const envelope of this.outbox.drain()) this.node.core.drops.trace(envelope, "not_connected");
    this.#become("closed", { error: this.error });
  }
}

// ----------------------------------------------------------------------------------------------------------------- rooms

/** Bytes of the name of a room. */
export const MAX_ROOM_LEN = 128;
/** Members of a room, as each of them counts. */
export const MAX_MEMBERS = 256;
/** Turns that something said to a room may be away from what was said of a peer's own accord. */
export const MAX_TURNS = 2;
/** Time after which those are told again that a peer is in the room whose mailbox was full. */
const GREET_AGAIN_MS = 1_000;

/** Until a handler of a room has its first `await`, the turn of what it handles. */
let currentTurn;

/**
 * A peer's place in a room: it says things to all other members, and hears what they say. A room has no owner and no server.
 *
 * What is said goes as one envelope to each member that is known, and no receiver sends it on. What a handler says to the room in
 * turn carries how many such turns led to it, and after MAX_TURNS is refused: answers to answers end. Whatever the peer says while a
 * handler that is a future is not done counts as said by that handler, as nobody can tell after an `await`.
 */
export class Mesh {
  #node;
  #members = new Map();
  /** Whom we told that we are here, in which of their runs. */
  #greeted = new Map();
  /** Members that have no place for us, and those for whom we have none: at most MAX_MEMBERS of each. */
  #closed = new Set();
  #waiting = new Set();
  #handlers = [];
  #joins = new Signal();
  #leaves = new Signal();
  #waiters = new Waiters();
  #registrations;
  /** The number under which the peer is in. */
  #since;
  #isLooking = false;
  #again;

  /** Joins a room, with `peer` as the member. */
  static join(peer, room) {
    return new Mesh(peer, room);
  }

  constructor(peer, room) {
    const verbs = ["join", "leave", "full", "say"];
    const names = Object.fromEntries(verbs.map((verb) => [verb, `sys.mesh.${verb}.${room}`]));
    const fault = typeof room !== "string" || room === "" ? "it is empty, or no text" : faultOfName(names.leave);
    if (fault) throw fail.invalidName("room", room, fault);
    if (lenOf(room) > MAX_ROOM_LEN) throw fail.invalidName("room", room, `it is longer than ${MAX_ROOM_LEN} bytes`);
    const node = nodeOf(peer);
    if (node.handlers.some(({ pattern }) => pattern === names.say)) throw fail.refused(`${peer.id} is in the room ${room}`);
    Object.assign(this, { room, peer });
    this.#node = node;
    this.#since = node.nextSaid();
    this.names = Object.freeze(names);
    this.#registrations = [
      node.register(names.join, (delivery) => this.#joined(delivery), false),
      node.register(names.leave, (delivery) => this.#left(delivery), false),
      node.register(names.full, (delivery) => this.#closedBy(delivery), false),
      node.register(names.say, (delivery) => this.#said(delivery), false),
      node.core.names.add(() => this.#lookSoon()),
      node.states.add(() => this.#lookSoon()),
      node.ends.add(() => this.#end()),
    ];
    this.#lookSoon();
  }

  /** All other members that are known, by name. */
  members() {
    const members = [...this.#members.values()].map(({ id, incarnation }) => Object.freeze({ id, incarnation }));
    return members.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /**
   * Whether some that are in the room have no place for this peer, as they know MAX_MEMBERS others. What is said does not go to them,
   * which the report tells. They let it know when they have one.
   */
  get isFull() { return this.#closed.size > 0; }

  /** Waits until a peer is a member. */
  async waitFor(id, timeoutMs = this.#node.core.requestTimeoutMs) {
    const isIn = () => {
      this.#checkIn();
      return this.#members.has(id) || undefined;
    };
    if (!isIn()) await this.#waiters.wait(isIn, timeoutMs, () => fail.nodeNotFound(id));
  }

  /** Says `intent`, or `name, payload`, to all other members, and tells for each whether its mailbox or the link to it has it. */
  async send(what, payload) {
    const [intent] = said(what, [payload]);
    const turn = (currentTurn ?? this.#node.latestTurn()) + 1;
    this.#checkIn();
    if (turn > MAX_TURNS) throw fail.tooManyHops(this.peer.id);
    this.#node.checkOpen();
    const seq = this.#node.nextSaid();
    // What says it is nested one deeper, and a text once for all.
    const words = intentNamed(this.names.say, { name: intent.name, payload: intent.payload, seq, turn });
    const sends = this.members().map(async ({ id }) => {
      try {
        return { id, receipt: await this.#node.send(id, words) };
      } catch (error) {
        return { id, error };
      }
    });
    const full = [...this.#closed].map((id) => ({ id, error: fail.refused(`the room ${this.room} is full`) }));
    const members = [...(await Promise.all(sends)), ...full].sort((a, b) => (a.id < b.id ? -1 : 1));
    return { members, accepted: members.filter(({ receipt }) => receipt).length };
  }

  /** Says a text, as the intent `message`. */
  async sendText(text) {
    if (typeof text !== "string") throw fail.serialization("it is no text");
    return this.send("message", text);
  }

  /** Registers a handler, of the payload and who said it, for what members say under a name or pattern. */
  on(pattern, handler) {
    checkFunction(handler);
    const entry = { matches: matcherOf(checkPattern(pattern)), handler };
    this.#handlers = [...this.#handlers, entry];
    const isActive = () => this.#handlers.includes(entry);
    const cancel = () => {
      const was = isActive();
      this.#handlers = this.#handlers.filter((other) => other !== entry);
      return was;
    };
    return new Subscription(cancel, isActive);
  }

  /** Registers a handler for who joins. First, before this returns, it gets those who are there. */
  onJoin(handler) {
    const snapshot = new Signal();
    snapshot.add(handler);
    this.members().forEach((member) => snapshot.tell(member));
    return this.#joins.add(handler);
  }

  /** Registers a handler for who leaves, and why: `left`, `gone`, `replaced`. */
  onLeave(handler) {
    return this.#leaves.add(handler);
  }

  /**
   * Tells a peer that this one is in the room, though its link did not tell of it: where a relay has too many peers to say who is there,
   * members meet in this way. It is one once it has answered, for as long as the link to it is up.
   */
  greet(id) {
    const error = this.#greet(checkPeerId(id), true);
    if (error) throw error;
  }

  /** Leaves the room. Who does not get the goodbye sees the peer go. */
  leave() {
    const seq = this.#node.nextSaid();
    for (const id of [...this.#members.keys(), ...this.#waiting]) this.#trySend(id, this.names.leave, { seq });
    this.#end();
  }

  get #isIn() {
    return this.#registrations[0].active;
  }

  #checkIn() {
    if (!this.#isIn) throw fail.closed(this.peer.id);
  }

  #end() {
    clearTimeout(this.#again);
    this.#registrations.forEach((registration) => registration.cancel());
    [this.#members, this.#closed, this.#waiting].forEach((peers) => peers.clear());
    this.#handlers = [];
    this.#waiters.admit();
    this.#joins.clear();
    this.#leaves.clear();
  }

  /** What went wrong, if something did. */
  #trySend(id, name, payload, options) {
    try {
      this.#node.trySend(id, unchecked(name, payload), options);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #joined({ from, id, payload }) {
    if (typeof payload?.answer !== "boolean") throw fail.serialization("no greeting");
    if (from === this.peer.id) return;
    const incarnation = Number(id.split(".")[0]);
    // Whoever comes after it is greeted anew.
    if (this.#isOver(from, incarnation)) return;
    if (!this.#join(from, incarnation)) return this.#tellFull(from);
    const member = this.#members.get(from);
    member.since = Math.max(member.since, payload.seq ?? 0);
    if (!payload.answer) return;
    if (!this.#greet(from, false)) this.#greeted.set(from, incarnation);
  }

  /** Tells who is none of ours that there is no place. */
  #tellFull(id) {
    if (this.#waiting.has(id)) this.#trySend(id, this.names.full, null, { priority: "system" });
  }

  /** A member has no place for us. */
  #closedBy({ from, id }) {
    if (this.#isOver(from, Number(id.split(".")[0]))) return;
    if (this.#members.get(from)?.incarnation === Number(id.split(".")[0])) {
      this.#out(from, "left");
      this.#invite();
    }
    if (this.#closed.size < MAX_MEMBERS) this.#closed.add(from);
  }

  /** Greets the next who waits for a place if there is one. */
  #invite() {
    const [next] = this.#waiting;
    if (next === undefined || this.#members.size >= MAX_MEMBERS) return;
    this.#waiting.delete(next);
    this.#greeted.delete(next);
    this.#lookSoon();
  }

  /** Tells that the peer is in, ahead of what users say. What went wrong, if something did. */
  #greet(id, answer) {
    return this.#trySend(id, this.names.join, { answer, seq: this.#since }, { priority: "system" });
  }

  #left({ from, id, payload }) {
    const incarnation = Number(id.split(".")[0]);
    const member = this.#members.get(from);
    this.#closed.delete(from);
    this.#waiting.delete(from);
    // That it came back may have overtaken it.
    if (member?.incarnation !== incarnation || member.since > (payload?.seq ?? Infinity)) return;
    this.#out(from, "left");
    // It knows us, and need not be told again.
    this.#greeted.set(from, incarnation);
    this.#invite();
  }

  #said({ from, id, payload }) {
    const { name, seq, turn } = payload ?? {};
    if (faultOfName(name) || !isNumber(seq) || !isNumber(turn)) throw fail.serialization("nothing said");
    const incarnation = Number(id.split(".")[0]);
    const known = this.#members.get(from);
    if (known?.incarnation !== incarnation && this.#isOver(from, incarnation)) {
      // Last words are heard of who is out, but not when it is back.
      if (known) return undefined;
    } else {
      // Who speaks is in, should it not have come through that it joined.
      if (!this.#join(from, incarnation)) return void this.#tellFull(from);
      if (!this.#members.get(from).heard.first(seq)) return undefined;
    }
    const handlers = this.#handlers.filter(({ matches }) => matches(name));
    const futures = handlers.map(({ handler }) => this.#call(handler, payload.payload ?? null, from, turn));
    return futures.some(Boolean) ? Promise.all(futures) : undefined;
  }

  /** A promise if the handler is a future. */
  #call(handler, payload, from, turn) {
    currentTurn = turn;
    try {
      const future = futureOf(handler(payload, from));
      if (future === undefined) return undefined;
      const done = this.#node.beginTurn(turn);
      return future.catch(report).finally(done);
    } catch (error) {
      return void report(error);
    } finally {
      currentTurn = undefined;
    }
  }

  #isOver(id, run) {
    return this.#node.core.isOver(this.#node, id, run);
  }

  /**
   * A peer is in. Of two runs the one is that its link told of, else the later. `false` when it is an earlier run, or the room is full:
   * then it waits.
   */
  #join(id, incarnation) {
    const known = this.#members.get(id);
    if (known?.incarnation === incarnation) return true;
    const told = this.#node.core.runOf(this.#node, id) === incarnation;
    if (known && known.incarnation > incarnation && !told) return false;
    if (known) this.#out(id, "replaced");
    else if (this.#members.size >= MAX_MEMBERS) {
      if (this.#waiting.size < MAX_MEMBERS) this.#waiting.add(id);
      return false;
    }
    this.#closed.delete(id);
    this.#waiting.delete(id);
    this.#members.set(id, { id, incarnation, told, since: 0, heard: new Window() });
    this.#joins.tell(Object.freeze({ id, incarnation }));
    this.#waiters.admit();
    return true;
  }

  #out(id, reason) {
    this.#greeted.delete(id);
    const member = this.#members.get(id);
    if (!this.#members.delete(id)) return;
    this.#leaves.tell(Object.freeze({ id, incarnation: member.incarnation }), reason);
  }

  #lookSoon() {
    if (this.#isLooking) return;
    this.#isLooking = true;
    queueMicrotask(() => {
      this.#isLooking = false;
      if (this.#isIn) this.#look();
    });
  }

  /** Takes out who is gone, and greets who has come. */
  #look() {
    const present = this.#node.core.present(this.#node);
    for (const member of [...this.#members.values()]) {
      if (!this.#isGone(member, present.get(member.id))) continue;
      this.#out(member.id, "gone");
      this.#invite();
    }
    for (const peers of [this.#closed, this.#waiting]) for (const id of peers) if (!this.peer.reachable(id)) peers.delete(id);
    for (const [id, run] of this.#greeted) if (present.get(id) !== run) this.#greeted.delete(id);
    let isQueueFull = false;
    // Who has no place greets nobody.
    const strangers = this.#members.size < MAX_MEMBERS ? [...present].filter(([id]) => !this.#greeted.has(id)) : [];
    for (const [id, run] of strangers) {
      const error = this.#greet(id, true);
      if (!error) this.#greeted.set(id, run);
      else if (error.code === "QueueFull") isQueueFull = true;
    }
    clearTimeout(this.#again);
    if (isQueueFull) this.#again = setTimeout(() => this.#lookSoon(), GREET_AGAIN_MS);
  }

  /** Whether another run of a member is there, or none. One that was only heard of may be later than what was told. */
  #isGone(member, run) {
    if (run === undefined) return !this.peer.reachable(member.id);
    if (run === member.incarnation) member.told = true;
    return run !== member.incarnation && (member.told || run > member.incarnation);
  }

  toString() {
    return `Mesh[${this.peer.id} in ${this.room}]`;
  }
}

/** For the other files of this library. */
export const parts = Object.freeze({
  ...{ ACK_DELAY_MS, ACK_ENVELOPES, ACK_LEN, BATCH_LEN, INBOUND_PATIENCE_MS, MAX_FRAMES, MAX_MESSAGE_LEN, MAX_TIMER_MS },
  ...{ MIN_MAX_MESSAGE_LEN, QUEUE_BYTES, QUEUE_FRAMES },
  ...{ Malformed, checkOptions, checkPeerId, envelopeOf, fail, isAwaited, isCount, isFlag, isTime, lenOf, must, now, report, soon },
  ...{ decode, encodeEnvelope, has, numberIn, textIn, textOfIntent, unchecked },
  Fifo, Outbox, Signal, Waiters,
  nodeOf,
});
