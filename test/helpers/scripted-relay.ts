/**
 * A channel server that does what a test tells it to and nothing else: node:tls and the tests' own codec. Nothing here
 * comes from src, or a mistake of the client's wire code would be on both sides.
 */
import type { AddressInfo } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { withDeadline } from './deadline.js';
import type { Credentials } from './pki.js';
import { decodeFrame, encodeFrame, type Frame, FrameReader, TYPE } from './wire.js';

const DEADLINE_MS = 5_000;

/** One connection, seen from the server. */
export class Peer {
  readonly frames: Frame[] = [];
  readonly socket: TLSSocket;
  private readonly reader = new FrameReader();
  private readonly waiters = new Set<() => void>();

  constructor(socket: TLSSocket, script: Script) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.reader.push(chunk, (bytes) => {
        const frame = decodeFrame(Buffer.from(bytes));
        this.frames.push(frame);
        if (!(script.onFrame?.(frame, this) ?? false)) this.answerByDefault(frame);
      });
      for (const wake of [...this.waiters]) wake();
    });
  }

  send(type: number, seq: string, result: number, body: Uint8Array | string): void {
    this.socket.write(encodeFrame(type, seq, result, body));
  }

  /** Frames of a type that have come so far. */
  of(type: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The n-th frame of a type, received already or yet to come. */
  async frame(type: number, n = 0): Promise<Frame> {
    const arrived = new Promise<Frame>((resolve) => {
      const wake = () => {
        const frame = this.of(type)[n];
        if (frame === undefined) return;
        this.waiters.delete(wake);
        resolve(frame);
      };
      this.waiters.add(wake);
      wake();
    });
    return withDeadline(arrived, DEADLINE_MS, `frame ${n} of type 0x${type.toString(16)}`);
  }

  private answerByDefault(frame: Frame): void {
    if (frame.type === TYPE.handshake) {
      this.send(TYPE.handshake, frame.seq, 0, '{"nodeVersion":"2.11.0","protocol":3}\n');
    } else if (frame.type === TYPE.heartbeat) {
      this.send(TYPE.heartbeat, frame.seq, 0, '{"heartBeat":1}\n');
    }
  }
}

export interface Script {
  /** True when the script has dealt with the frame; otherwise 0x13 and 0x14 are answered as a node does. */
  readonly onFrame?: (frame: Frame, peer: Peer) => boolean | undefined;
  readonly onPeer?: (peer: Peer) => void;
}

export interface ScriptedRelay {
  readonly port: number;
  /** `127.0.0.1:port`, as a client names it. */
  readonly address: string;
  /** The n-th connection. */
  peer(n?: number): Promise<Peer>;
  /** Connections that came so far. */
  readonly peers: readonly Peer[];
  stop(): Promise<void>;
}

export interface ListenOptions {
  readonly port?: number;
  readonly host?: string;
}

/** The answer of an amop-relay to our own client's 0x14. */
export const asOwnRelay = (frame: Frame, peer: Peer): boolean => {
  if (frame.type !== TYPE.handshake) return false;
  const body = '{"capabilities":["reason","joined"],"nodeVersion":"2.11.0","protocol":3}\n';
  peer.send(TYPE.handshake, frame.seq, 0, body);
  return true;
};

export async function startScriptedRelay(
  pems: Credentials,
  script: Script = {},
  { port = 0, host = '127.0.0.1' }: ListenOptions = {},
): Promise<ScriptedRelay> {
  const peers: Peer[] = [];
  const waiters = new Set<() => void>();
  const server = tls.createServer(
    {
      ...pems,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      ecdhCurve: 'P-256:P-384:secp256k1',
    },
    (socket) => {
      const peer = new Peer(socket, script);
      peers.push(peer);
      script.onPeer?.(peer);
      for (const wake of [...waiters]) wake();
    },
  );
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const listening = (server.address() as AddressInfo).port;
  return {
    port: listening,
    address: host.includes(':') ? `[${host}]:${listening}` : `${host}:${listening}`,
    peers,
    peer: (n = 0) =>
      withDeadline(
        new Promise<Peer>((resolve) => {
          const wake = () => {
            if (peers[n] === undefined) return;
            waiters.delete(wake);
            resolve(peers[n]);
          };
          waiters.add(wake);
          wake();
        }),
        DEADLINE_MS,
        `connection ${n}`,
      ),
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
