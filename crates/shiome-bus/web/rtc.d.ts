// Types of rtc.js, where everything is described in full.

import { Peer, Subscription } from "./shiome.js";

/** Why a peer is not reached directly, as the Rust `Failure` names it. */
export type Reason =
  | "no-candidates" | "checks-failed" | "turn-refused" | "turn-unreachable" | "timeout" | "no-answer" | "refused" | "unsupported"
  | "signalling" | "malformed" | "unresponsive" | "closed" | "overload" | "limit";

/** How a peer is reached; `reason` when it is relayed. */
export interface Path {
  readonly path: "connecting" | "direct" | "relayed";
  readonly reason?: Reason;
}

export interface PathEvent extends Path {
  readonly id: string;
  /** For people. */
  readonly detail?: string;
}

export interface RtcOptions {
  /** STUN and TURN servers. Default: none. */
  iceServers?: RTCIceServer[];
  /** Uses addresses that TURN servers lend and no others. Default: false. */
  relayOnly?: boolean;
  /** Which peers may open a channel of their own accord. Default: none. */
  admit?: (id: string) => boolean;
  /** From the offer to the open channel, in milliseconds. Default: 15 000. */
  connectTimeoutMs?: number;
  /** Silence after which the other end is asked; after two it is given up. 100 to 25 000. Default: 5000. */
  heartbeatMs?: number;
  /** Default: 256. */
  maxConnections?: number;
  RTCPeerConnection?: typeof RTCPeerConnection;
}

/** Direct connections of one peer. */
export class Rtc {
  constructor(peer: Peer, options?: RtcOptions);
  connect(id: string): void;
  disconnect(id: string): void;
  path(id: string): Path | undefined;
  paths(): Map<string, Path>;
  onPath(listener: (event: PathEvent) => void): Subscription;
  close(): void;
}
