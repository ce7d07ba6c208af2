// Types of shiome.js, where everything is described in full.

export const MAX_PEER_ID_LEN: number;
export const MAX_NAME_LEN: number;
export const MAX_PAYLOAD_LEN: number;
export const MAX_DEPTH: number;
export const MAX_HOPS: number;
export const MAX_ROOM_LEN: number;
export const MAX_MEMBERS: number;
export const MAX_TURNS: number;
export const MAILBOX_CAPACITY: number;
/** Length of a payload that one place in a mailbox is for. */
export const MAILBOX_PLACE_LEN: number;
export const DROP_RING_LEN: number;

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What can be turned into JSON: `undefined` is `null`, and `toJSON` is asked. */
export type Payload = unknown;

/** The variants of the Rust `BusError`. */
export type ErrorCode =
  | "NodeNotFound" | "NoHandler" | "HandlerFailed" | "Timeout" | "NotConnected" | "QueueFull" | "PayloadTooLarge"
  | "Serialization" | "InvalidName" | "NameTaken" | "Unauthorized" | "Network" | "TooManyHops" | "Refused" | "Closed";

/**
 * Why a peer could not do what it was asked to. After `Timeout`, and where one waited for more than `accepted` also after
 * `NotConnected`, `Closed`, `HandlerFailed` and `Network`, it may have been done all the same, in part or as a whole.
 */
export class BusError extends Error {
  readonly name: "BusError";
  readonly code: ErrorCode;
  /** Whom it is about. */
  readonly peer?: string;
  /** In words, or as the protocol names it. */
  readonly reason?: string;
}

/** What a sender waits for; each says more than the one before. */
export type Level = "accepted" | "received" | "handled" | "answered";
export type Priority = "system" | "normal" | "bulk";
/** Which path something took. */
export type Via = "bus" | "websocket" | "webrtc";
/** How the link of a peer is; `local` without one. */
export type State = "local" | "connecting" | "up" | "closing" | "closed";

/** What is said. It does not change: the payload is a frozen copy of what it was made of. */
export class Intent<P = Json> {
  constructor(name: string, payload?: Payload);
  readonly name: string;
  readonly payload: P;
}

export interface Envelope {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly intent: Intent;
  readonly sentAt: number;
  readonly replyTo?: string;
  readonly hops: number;
  readonly level: Level;
  readonly priority: Priority;
}

/** An envelope that arrived, how it came, and a way to answer it. */
export interface Delivery<P = any> extends Omit<Envelope, "intent"> {
  readonly intent: Intent<P>;
  readonly name: string;
  readonly payload: P;
  readonly via: Via;
  /** Answers under the name of what was asked. */
  respond(payload?: Payload): Promise<Receipt>;
}

/** What a sender knows of what was accepted. */
export interface Receipt {
  readonly id: string;
  readonly via: Via;
}

export interface SendOptions {
  /** Default `accepted`: the mailbox of the peer, or the queue of the link, has it. */
  level?: Level;
  /** How long to wait for room and for what the level wants. Default: as the bus was told. */
  timeoutMs?: number;
  /** What waits behind what. Default `normal`. */
  priority?: "normal" | "bulk";
  /** Default `any`: the bus if the receiver is on it, else a link. */
  route?: "any" | "local" | "remote";
  /** Ends the wait. What was sent is sent. */
  signal?: AbortSignal;
}

/** A registration. */
export interface Subscription {
  /** Ends it, and says whether it was still there. */
  cancel(): boolean;
  readonly active: boolean;
}

export type DropReason =
  | "node_not_found" | "no_handler" | "queue_full" | "closed" | "not_connected" | "duplicate" | "too_many_hops" | "forged" | "echo"
  | "payload_too_large" | "malformed" | "late_reply" | "refused" | "network";

/** What is remembered of a dropped envelope. */
export interface Dropped {
  readonly reason: DropReason;
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface BusOptions {
  /** Bytes of a payload as JSON text. Default 1 MiB. */
  maxPayload?: number;
  /** How long requests, pings and receipts are waited for. Default 10 s. */
  requestTimeoutMs?: number;
  /** How long a send waits for room. Default 30 s. */
  sendTimeoutMs?: number;
}

/** Peers that reach each other without a network: several in one page share one. */
export class Bus {
  constructor(options?: BusOptions);
  /** A peer on this bus. */
  peer(id: string, options?: Omit<PeerOptions, "bus">): Peer;
  /** Ids of the peers on it. */
  peers(): string[];
  /** How many envelopes were dropped for this reason, or for any. */
  dropped(reason?: DropReason): number;
  /** The last that were dropped. */
  drops(): Dropped[];
  onDrop(listener: (dropped: Dropped) => void): Subscription;
  /** Closes all peers on it. */
  close(deadlineMs?: number): Promise<void>;
}

export interface PeerOptions {
  /** Default: one of its own. */
  bus?: Bus;
  /** Messages that may wait for its handlers, in each of the lanes for normal and bulk. Default 1024. */
  capacity?: number;
  /** Takes the name over from the peer of the same bus that has it. */
  replace?: boolean;
  /** A relay or server, such as `wss://example.org/bus`; in a page also `/bus`. Without it the peer is on its bus only. */
  url?: string | URL;
  /** What the server asks for; a function is asked before each connection. */
  token?: string | (() => string | Promise<string>);
  /** Where that is kept with which a page that is loaded again has its id. Default `sessionStorage`; `null`: nowhere. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null;
  /** Silence after which the server is asked, and after twice of which it is given up: 100 to 120 000. Default 15 000. */
  heartbeatMs?: number;
  /** Bound of the first random wait before it dials again, which doubles up to the longest. Default 250. */
  firstRetryMs?: number;
  /** Default 30 000. */
  longestRetryMs?: number;
  /** Time without a link after which it gives up. Default 300 000; `Infinity`: never. */
  giveUpMs?: number;
  /** Messages that may wait to be sent and to be acknowledged, together. Default 8192. */
  queueFrames?: number;
  /** The same in bytes. Default 4 MiB. */
  queueBytes?: number;
  /** In place of that of the environment. */
  WebSocket?: new (url: string, protocol: string) => any;
}

export interface StateChange {
  readonly state: State;
  /** Why it is not up. */
  readonly error?: BusError;
  /** When the next attempt is made. */
  readonly retryInMs?: number;
}

export interface PeerChange {
  readonly type: "up" | "down";
  readonly id: string;
  /** Which run of it. */
  readonly incarnation: number;
}

export interface PeerStats {
  readonly sent: number;
  readonly delivered: number;
  readonly calls: number;
  readonly errors: number;
  readonly queued: number;
  readonly pending: number;
  readonly unacknowledged: number;
}

export type Handler<P = any> = (delivery: Delivery<P>) => unknown;

/** A text refuses the envelope, an Intent replaces what it says. */
export type Interceptor = (envelope: Envelope) => string | Intent | void;

/** What sends, and what is sent to. */
export class Peer {
  constructor(id: string, options?: PeerOptions);
  /** A peer whose link is up. */
  static connect(id: string, options: PeerOptions): Promise<Peer>;

  readonly id: string;
  /** Which run of its name it is. */
  readonly incarnation: number;
  readonly bus: Bus;
  readonly state: State;
  readonly isClosed: boolean;
  readonly roundTripMs: number | undefined;
  readonly stats: PeerStats;

  /** Waits until its link is up; rejects with why it will not be. */
  connected(): Promise<void>;

  /** Registers a handler for a name or pattern: `*` is one token, `>` at the end one or more. */
  on<P = any>(pattern: string, handler: Handler<P>): Subscription;
  once<P = any>(pattern: string, handler: Handler<P>): Subscription;
  /** For all names but the reserved ones. */
  onAny<P = any>(handler: Handler<P>): Subscription;
  /** Removes all handlers of exactly that pattern, and says how many those were. */
  off(pattern: string): number;

  send(to: string, name: string, payload?: Payload, options?: SendOptions): Promise<Receipt>;
  send(to: string, intent: Intent, options?: SendOptions): Promise<Receipt>;
  /** Sends if there is room now. */
  trySend(to: string, name: string, payload?: Payload): Receipt;
  trySend(to: string, intent: Intent): Receipt;
  sendText(to: string, name: string, text: string, options?: SendOptions): Promise<Receipt>;
  request<P = any>(to: string, name: string, payload?: Payload, options?: SendOptions): Promise<Delivery<P>>;
  request<P = any>(to: string, intent: Intent, options?: SendOptions): Promise<Delivery<P>>;
  /** Answers with an intent of one's own, where `Delivery.respond` keeps the name. */
  respond(delivery: Delivery, name: string, payload?: Payload): Promise<Receipt>;
  respond(delivery: Delivery, intent: Intent): Promise<Receipt>;
  /** Whether a peer answers, and after how many milliseconds. */
  ping(to: string, timeoutMs?: number): Promise<number>;

  reachable(id: string): boolean;
  waitFor(id: string, timeoutMs?: number): Promise<void>;
  /** All others that are reached, in order. */
  peers(): string[];

  onPeer(listener: (change: PeerChange) => void): Subscription;
  onState(listener: (change: StateChange) => void): Subscription;
  onDrop(listener: (dropped: Dropped) => void): Subscription;
  /** Errors of handlers; without a listener the environment reports them. */
  onError(listener: (error: unknown, delivery: Delivery) => void): Subscription;
  interceptOutbound(interceptor: Interceptor): Subscription;
  interceptInbound(interceptor: Interceptor): Subscription;

  /** Works off what it has, sees to it that the server has what was sent, and leaves. Default deadline 5 s. */
  close(deadlineMs?: number): Promise<void>;
}

export interface Member {
  readonly id: string;
  readonly incarnation: number;
}

/** What became of what was said to a room: for each member a receipt, or an error. */
export interface Report {
  readonly members: readonly { readonly id: string; readonly receipt?: Receipt; readonly error?: BusError }[];
  readonly accepted: number;
}

/** A peer's place in a room. */
export class Mesh {
  static join(peer: Peer, room: string): Mesh;
  readonly room: string;
  readonly peer: Peer;
  /** All other members that are known, by name. */
  members(): Member[];
  /**
   * Whether some that are in the room have no place for this peer, as they know `MAX_MEMBERS` others. What is said does not go to
   * them, which the report tells. They let it know when they have one.
   */
  readonly isFull: boolean;
  waitFor(id: string, timeoutMs?: number): Promise<void>;
  /** Says something to all other members. */
  send(name: string, payload?: Payload): Promise<Report>;
  send(intent: Intent): Promise<Report>;
  /** Says a text, as the intent `message`. */
  sendText(text: string): Promise<Report>;
  on<P = any>(pattern: string, handler: (payload: P, from: string) => unknown): Subscription;
  /** First, before this returns, the listener gets those who are there. */
  onJoin(listener: (member: Member) => void): Subscription;
  onLeave(listener: (member: Member, reason: "left" | "gone" | "replaced") => void): Subscription;
  /** Tells a peer, of which the link may not have told, that this one is in the room. It is a member once it has answered. */
  greet(id: string): void;
  leave(): void;
}
