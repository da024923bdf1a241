/**
 * What the control thread and a shard say to each other. Everything is structured-cloneable; a new kind of message is a new
 * member of these unions, and both sides switch over them exhaustively.
 */
import type { MessagePort } from 'node:worker_threads';
import type { RelayErrorCode } from '../base/errors.js';
import type { DEFAULT_LIMITS } from '../base/limits.js';
import type { LogFields, LogLevel } from '../base/logger.js';

/** One TLS listener of the channel port; file contents, not paths: the control thread has read and checked them. */
export interface ListenerSetup {
  readonly ip: string;
  readonly port: number;
  readonly kind: 'secp256k1' | 'rsa';
  readonly certPem: string;
  readonly keyPem: string;
  readonly caPem: string;
  readonly crlPem?: string | undefined;
}

/** Bounds of a shard, `[limits]` of the configuration. */
export type ShardLimits = { readonly [Name in keyof typeof DEFAULT_LIMITS]: number };

export interface ShardSetup {
  readonly index: number;
  readonly port: MessagePort;
  readonly listeners: readonly ListenerSetup[];
  readonly tls: { readonly ciphers: string; readonly curves: string };
  readonly limits: ShardLimits;
  readonly logLevel: LogLevel;
  /** Memory of `Stats`. */
  readonly stats: SharedArrayBuffer;
}

export type ControlToShard =
  | { readonly type: 'rpc-reply'; readonly call: number; readonly body: Uint8Array }
  | { readonly type: 'drain'; readonly timeoutMs: number };

export type ShardToControl =
  | {
      readonly type: 'listening';
      readonly listeners: readonly BoundListener[];
      readonly scanner: 'native' | 'typescript';
    }
  | { readonly type: 'failed'; readonly code: RelayErrorCode; readonly message: string }
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: LogFields; readonly message: string }
  | { readonly type: 'rpc'; readonly call: number; readonly body: Uint8Array; readonly ownClient: boolean }
  | { readonly type: 'subscriptions'; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly type: 'alive' };

/** A type alias, so that it is also a value of a log line. */
export type BoundListener = {
  readonly ip: string;
  readonly port: number;
  readonly kind: 'secp256k1' | 'rsa';
};
