/**
 * One P2P connection on node:tls, either end: it cuts the stream into frames, records each with its time of arrival and
 * does nothing by itself. The scripted node stands on it; so do the peers that misbehave.
 */

import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import tls from 'node:tls';
import { DEFAULT_DEADLINE_MS, withDeadline } from '../deadline.js';
import type { Credentials } from '../pki.js';
import { nodeIdOfKey } from './p2p-pki.js';
import {
  describeP2P,
  encodeP2P,
  type Fault,
  type Format,
  type P2PFrame,
  P2PFrameReader,
  type P2PMessage,
} from './p2p-wire.js';

/** The node pins its ephemeral keys to this curve, so whoever talks to it must offer it. */
const NODE_CURVE = 'secp256k1';

export interface ReceivedP2PFrame extends P2PFrame {
  /** performance.now() at arrival. */
  readonly atMs: number;
}

export interface LinkOptions {
  readonly format: Format;
  readonly onFrame?: (frame: ReceivedP2PFrame, link: P2PLink) => void;
  readonly onClose?: (link: P2PLink) => void;
  /** False when the frames are too many to keep. */
  readonly keeps?: boolean;
}

export interface DialOptions extends Partial<LinkOptions> {
  readonly port: number;
  readonly host?: string;
  readonly credentials: Credentials;
  readonly tls?: tls.ConnectionOptions;
  readonly deadlineMs?: number;
}

export function p2pTlsOptions(credentials: Credentials): tls.SecureContextOptions {
  return {
    key: credentials.key,
    cert: credentials.cert,
    ca: credentials.ca,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    ecdhCurve: NODE_CURVE,
  };
}

export class P2PLink {
  readonly socket: tls.TLSSocket;
  readonly format: Format;
  readonly received: ReceivedP2PFrame[] = [];
  /** Of the peer's certificate. */
  readonly nodeId: string;
  readonly certificate: X509Certificate;
  readonly openedAtMs = performance.now();
  isClosed: boolean;
  private readonly reader: P2PFrameReader;
  private readonly changes = new Set<() => void>();
  private lastError: Error | undefined;

  /** `socket` has finished its handshake; `certificate` is what it presented. */
  constructor(socket: tls.TLSSocket, certificate: X509Certificate, options: LinkOptions) {
    this.socket = socket;
    this.isClosed = socket.destroyed;
    this.format = options.format;
    this.reader = new P2PFrameReader(options.format);
    this.certificate = certificate;
    this.nodeId = nodeIdOfKey(certificate.publicKey);
    socket.setNoDelay(true);
    // A flood waits for the buffer many times over.
    socket.setMaxListeners(0);
    socket.on('error', (error) => {
      this.lastError = error;
    });
    socket.on('close', () => {
      this.isClosed = true;
      options.onClose?.(this);
      this.changed();
    });
    socket.on('data', (chunk: Buffer) => {
      const atMs = performance.now();
      this.reader.push(chunk, (bare) => {
        const frame = { ...bare, atMs };
        if (options.keeps !== false) this.received.push(frame);
        options.onFrame?.(frame, this);
      });
      this.changed();
    });
  }

  /** Dials and shakes hands. A refusal after the handshake shows as a close. */
  static async dial(options: DialOptions): Promise<P2PLink> {
    const socket = tls.connect({
      host: options.host ?? '127.0.0.1',
      port: options.port,
      ...p2pTlsOptions(options.credentials),
      checkServerIdentity: () => undefined,
      ...options.tls,
    });
    const certificate = guardCertificate(socket);
    let error: Error | undefined;
    socket.on('error', (cause) => {
      error = cause;
    });
    try {
      await withDeadline(
        Promise.race([
          once(socket, 'secureConnect'),
          once(socket, 'close').then(() => {
            throw error ?? new Error('closed within the TLS handshake');
          }),
        ]),
        options.deadlineMs ?? DEFAULT_DEADLINE_MS,
        'a P2P handshake',
      );
      return new P2PLink(socket, certificate(), { format: 'rc2', ...options });
    } catch (cause) {
      socket.destroy();
      throw cause;
    }
  }

  /** As `dial`, for peers that are refused: undefined when that came within the handshake. */
  static tryDial(options: DialOptions): Promise<P2PLink | undefined> {
    return P2PLink.dial(options).catch(() => undefined);
  }

  /** A stream that could not be followed, for which a real node would stop reading or drop the session. */
  get fault(): Fault | undefined {
    return this.reader.fault;
  }

  send(message: P2PMessage, compress = false): boolean {
    return this.socket.write(encodeP2P(this.format, message, compress));
  }

  sendBytes(bytes: Uint8Array): boolean {
    return this.socket.write(bytes);
  }

  /** Waits for the socket's buffer when it is full, so that a flood does not pile up in the test. */
  async sendSlowly(bytes: Uint8Array): Promise<void> {
    if (this.sendBytes(bytes) || this.isClosed) return;
    await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')]);
  }

  /** The first frame, received already or yet to come, for which `matches` holds. */
  async waitFor(
    matches: (frame: ReceivedP2PFrame) => boolean,
    what: string,
    deadlineMs: number = DEFAULT_DEADLINE_MS,
  ): Promise<ReceivedP2PFrame> {
    let found: ReceivedP2PFrame | undefined;
    await this.waitUntil(
      () => {
        found = this.received.find(matches);
        return found !== undefined;
      },
      what,
      deadlineMs,
    );
    return found!;
  }

  waitForClose(deadlineMs: number = DEFAULT_DEADLINE_MS): Promise<void> {
    return this.waitUntil(() => this.isClosed, 'the end of a P2P connection', deadlineMs, true);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  destroy(): void {
    this.socket.destroy();
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await this.waitForClose();
  }

  private async waitUntil(holds: () => boolean, what: string, deadlineMs: number, closeIsFine = false): Promise<void> {
    if (holds()) return;
    let stop: (() => void) | undefined;
    const reached = new Promise<void>((resolve, reject) => {
      stop = () => {
        if (holds()) resolve();
        else if (this.isClosed && !closeIsFine) {
          reject(new Error(`the peer closed while waiting for ${what}: ${this.lastError?.message ?? 'no error'}`));
        }
      };
      this.changes.add(stop);
      stop();
    });
    try {
      await withDeadline(reached, deadlineMs, () => `${what} (${this.describe()})`);
    } finally {
      if (stop !== undefined) this.changes.delete(stop);
    }
  }

  private changed(): void {
    for (const check of this.changes) check();
  }

  private describe(): string {
    const tail = this.received.slice(-5).map(describeP2P).join('; ');
    return `received ${this.received.length} frames, last: ${tail || 'none'}`;
  }
}

/**
 * Node 24 and 26 crash in getPeerCertificate() on a secp256k1 certificate, and node:tls calls it when it verifies; the
 * dialling side of Node 20-24 gives the certificate away only once. So both methods give what the first read found.
 */
export function guardCertificate(socket: tls.TLSSocket): () => X509Certificate {
  const read = socket.getPeerX509Certificate.bind(socket);
  let seen: X509Certificate | undefined;
  const readOnce = () => {
    seen ??= read();
    return seen;
  };
  Object.assign(socket, { getPeerCertificate: readOnce, getPeerX509Certificate: readOnce });
  return () => {
    const certificate = readOnce();
    if (certificate === undefined) throw new Error('the peer presented no certificate');
    return certificate;
  };
}
