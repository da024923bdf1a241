/**
 * What the control thread and a shard say to each other. Everything is structured-cloneable; a new kind of message is a new
 * member of these unions, and both sides switch over them exhaustively.
 */
import type { MessagePort } from 'node:worker_threads';
import type { RelayErrorCode } from '../base/errors.js';
import type { DEFAULT_LIMITS } from '../base/limits.js';
import type { LogFields, LogLevel } from '../base/logger.js';
import type { P2PCloseReason } from '../base/p2p-close-reason.js';
import type { FlowLimits } from '../core/flow-control.js';
import type { P2PFormat } from '../wire/p2p/protocol-id.js';
import type { AgentSetup } from './private-agents.js';

/** One TLS listener; file contents, not paths: the control thread has read and checked them. */
export interface ListenerSetup {
  readonly ip: string;
  readonly port: number;
  /** Of the certificate. */
  readonly kind: 'secp256k1' | 'rsa';
  readonly certPem: string;
  readonly keyPem: string;
  readonly caPem: string;
  readonly crlPem?: string | undefined;
}

/** The P2P port: its listener, whose certificate is also shown when dialling, and the header of the network. */
export interface P2pSetup extends ListenerSetup {
  readonly format: P2PFormat;
}

/** An organisation of the configuration, which joins several issuers. */
export interface Organisation {
  readonly name: string;
  /** SHA-256 of the public keys of its CAs, hex. */
  readonly issuerIds: readonly string[];
}

/** Bounds of a shard, `[limits]` of the configuration. */
export type ShardLimits = { readonly [Name in keyof typeof DEFAULT_LIMITS]: number };

export interface ShardSetup {
  readonly index: number;
  readonly port: MessagePort;
  readonly listeners: readonly ListenerSetup[];
  /** Undefined without a P2P port. */
  readonly p2p: P2pSetup | undefined;
  readonly organisations: readonly Organisation[];
  readonly flowLimits: FlowLimits;
  /** Private topics that the relay speaks for. */
  readonly agents: readonly AgentSetup[];
  readonly tls: { readonly ciphers: string; readonly curves: string };
  readonly limits: ShardLimits;
  readonly logLevel: LogLevel;
  /** Memory of `Stats`. */
  readonly stats: SharedArrayBuffer;
}

/** What can be replaced while a shard runs; listeners in the order in which they were set up. */
export type ReloadSetup = Pick<
  ShardSetup,
  'listeners' | 'p2p' | 'tls' | 'limits' | 'organisations' | 'flowLimits' | 'agents' | 'logLevel'
>;

/** How a link stands: `active` is routed over, `held` and `ending` are only answered on. */
export type LinkState = 'active' | 'held' | 'ending';

export type ControlToShard =
  | { readonly type: 'rpc-reply'; readonly call: number; readonly body: Uint8Array }
  | { readonly type: 'drain'; readonly timeoutMs: number }
  | { readonly type: 'reload'; readonly setup: ReloadSetup }
  /** Dial a configured node; answered by `peer-up` or `peer-dial-failed` with the same endpoint. */
  | { readonly type: 'peer-dial'; readonly endpoint: number; readonly host: string; readonly port: number }
  /** The certificate may be a peer: read what it sends. */
  | { readonly type: 'peer-accept'; readonly link: number }
  | {
      readonly type: 'peer-state';
      readonly link: number;
      readonly state: LinkState;
      /** Speaks plain 2.x, or has not said hello yet. */
      readonly legacy: boolean;
      /** Of the hello: two links of one node belong together while it is the same. */
      readonly bootEpochMs: number;
    }
  | { readonly type: 'peer-close'; readonly link: number; readonly reason: P2PCloseReason }
  /** Send a frame that is not AMOP: gossip or hello. Dropped when the output queue is full. */
  | {
      readonly type: 'peer-send';
      readonly link: number;
      readonly module: number;
      readonly response: boolean;
      readonly packetType: number;
      readonly seq: number;
      readonly payload: Uint8Array;
    }
  /** All topics behind a link, each with its number of subscribers. */
  | {
      readonly type: 'peer-routes';
      readonly link: number;
      readonly topics: readonly string[];
      readonly weights: readonly number[];
    }
  /** So many `peer-frame` of the link are done with. */
  | { readonly type: 'peer-handled'; readonly link: number; readonly frames: number }
  /** The answer to `topics-missed`: the lists of peers are as fresh as they will get. */
  | { readonly type: 'topics-pulled' }
  /** The session may send on a private topic, to the receivers of this route; undefined: it may not any more. */
  | {
      readonly type: 'private-sender';
      readonly session: number;
      readonly topic: string;
      readonly route: string | undefined;
    }
  /**
   * A receiver of a route: a session, or a link with the handles of the sessions behind it that may receive, none of them for a
   * 2.x node.
   */
  | {
      readonly type: 'private-target';
      readonly route: string;
      readonly topic: string;
      readonly endpoint: number;
      readonly handles: readonly string[];
    }
  | { readonly type: 'private-untarget'; readonly route: string; readonly topic: string; readonly endpoint: number }
  /** Who takes challenges on a challenge topic, sessions and links; none when it is nobody. */
  | { readonly type: 'challenge-route'; readonly topic: string; readonly endpoints: readonly number[] }
  /** The challenge topics in the list that a peer has pulled: it may challenge on them. */
  | { readonly type: 'challenge-listed'; readonly nodeId: string; readonly topics: readonly string[] }
  /** A `certification-result` of the session is done with, and what came of it was said before. */
  | { readonly type: 'private-settled'; readonly session: number }
  /** Push a 0x37 to the session, about the claim on the challenge topic that stands behind the endpoint. */
  | {
      readonly type: 'certify';
      readonly session: number;
      readonly body: Uint8Array;
      readonly challengeTopic: string;
      readonly endpoint: number | undefined;
    }
  /** Challenge the holder behind the endpoint in the relay's own name; `challenge-answered` follows. */
  | {
      readonly type: 'challenge-send';
      readonly topic: string;
      readonly endpoint: number | undefined;
      /** 32 bytes. */
      readonly seq: Uint8Array;
      readonly payload: Uint8Array;
    };

export type ShardToControl =
  | {
      readonly type: 'listening';
      readonly listeners: readonly BoundListener[];
      readonly p2p: BoundP2p | undefined;
      readonly scanner: 'native' | 'typescript';
    }
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: LogFields; readonly message: string }
  | {
      readonly type: 'rpc';
      readonly call: number;
      readonly session: number;
      readonly body: Uint8Array;
      readonly ownClient: boolean;
      /** Message topics on which the relay certifies subscribers in the place of the session; none but for our own client. */
      readonly agentTopics: readonly string[];
    }
  | { readonly type: 'subscriptions'; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly type: 'alive' }
  /** A `reload` is done; so many connections were closed because they are not allowed any more. */
  | { readonly type: 'reloaded'; readonly closed: number }
  | { readonly type: 'peer-up'; readonly peer: NewPeer }
  | { readonly type: 'peer-dial-failed'; readonly endpoint: number; readonly explanation: string }
  | { readonly type: 'peer-down'; readonly link: number; readonly reason: P2PCloseReason }
  /** A frame that is not AMOP; answered by `peer-handled`, so that a flood pauses its link and fills no queue. */
  | {
      readonly type: 'peer-frame';
      readonly link: number;
      readonly module: number;
      readonly response: boolean;
      readonly packetType: number;
      readonly seq: number;
      readonly payload: Uint8Array;
    }
  | { readonly type: 'peer-reports'; readonly reports: readonly PeerReport[] }
  /** A request found nobody; ask 2.x nodes for their lists. */
  | { readonly type: 'topics-missed' }
  /** All private names of a session now, none when it left; `answered` are those that the relay has added and answers itself. */
  | {
      readonly type: 'private-topics';
      readonly session: PrivateSession;
      readonly topics: readonly string[];
      readonly answered: readonly string[];
    }
  /** The body of a 0x38. */
  | { readonly type: 'certification-result'; readonly session: number; readonly body: Uint8Array }
  /** A challenge of the session was not answered by a signature. */
  | { readonly type: 'challenge-failed'; readonly session: number; readonly topic: string }
  /** What came of the `challenge-send` with this sequence; undefined when it was not answered. */
  | { readonly type: 'challenge-answered'; readonly seq: Uint8Array; readonly signature: Uint8Array | undefined };

/** What certification needs to know of a session. */
export interface PrivateSession {
  readonly id: number;
  /** 16 lower-case hex digits, for its life. */
  readonly handle: string;
  readonly certificateDigest: string;
  readonly organisation: string;
  readonly subject: string;
}

/** How a shard ended; `failed` when it could not start. */
export interface ShardOutcome {
  readonly failed?: { readonly code: RelayErrorCode; readonly message: string };
}

/** A verified TLS connection on the P2P port, in either direction. Nothing is read from it before `peer-accept`. */
export interface NewPeer {
  /** Never used again in the life of the shard. */
  readonly link: number;
  readonly dialled: boolean;
  /** Index of the configured node, for a dialled link. */
  readonly endpoint: number | undefined;
  /** Undefined for a certificate that gives none. */
  readonly nodeId: string | undefined;
  readonly keyKind: string;
  readonly isSdkCertificate: boolean;
  /** CN of the issuer and of the subject. */
  readonly agency: string;
  readonly name: string;
  readonly organisation: string;
  readonly remote: string;
}

/** What passed a link since the report before. */
export interface PeerReport {
  readonly link: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Waits for the socket now. */
  readonly queueBytes: number;
}

/** Type aliases, so that they are also values of a log line. */
export type BoundListener = {
  readonly ip: string;
  readonly port: number;
  readonly kind: 'secp256k1' | 'rsa';
};
export type BoundP2p = { readonly ip: string; readonly port: number };
