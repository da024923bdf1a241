/**
 * A channel server that does what a test tells it to and nothing else: node:tls and the tests' own codec, so that nothing
 * of the client's wire code is on both sides. Certificates come from the project's demo PKI.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type TLSSocket } from 'node:tls';
import { type ConnectOptions, connect } from '../../../src/client/index.js';
import { createDemoPki, type DemoKind } from '../../../src/pki/demo.js';
import { withDeadline } from '../../helpers/deadline.js';
import { decodeFrame, encodeFrame, type Frame, FrameReader, TYPE } from '../../helpers/wire.js';

const DEADLINE_MS = 5_000;

export interface Pems {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export interface TestPki {
  /** Folder with `<kind>/<agency>/{ca.crt,sdk.crt,sdk.key}`. */
  readonly directory: string;
  relay(kind?: DemoKind): Pems;
  sdk(kind?: DemoKind): Pems;
  remove(): Promise<void>;
}

export async function makePki(): Promise<TestPki> {
  const directory = await mkdtemp(join(tmpdir(), 'amop-client-'));
  const { files } = createDemoPki(directory, { now: new Date() });
  const read = (paths: { key: string; cert: string; caCert: string }): Pems => ({
    key: readFileSync(paths.key, 'utf8'),
    cert: readFileSync(paths.cert, 'utf8'),
    ca: readFileSync(paths.caCert, 'utf8'),
  });
  return {
    directory,
    relay: (kind = 'secp256k1') => read(files[kind]['bank-a'].relay),
    sdk: (kind = 'secp256k1') => read(files[kind]['bank-b'].sdk),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

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

  /** The n-th frame of a type, received already or yet to come. */
  async frame(type: number, n = 0): Promise<Frame> {
    const found = () => this.frames.filter((frame) => frame.type === type)[n];
    const arrived = new Promise<Frame>((resolve) => {
      const wake = () => {
        const frame = found();
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
  /** The n-th connection. */
  peer(n?: number): Promise<Peer>;
  stop(): Promise<void>;
}

export async function startScriptedRelay(pems: Pems, script: Script = {}): Promise<ScriptedRelay> {
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
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
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

export function connectTo(relay: ScriptedRelay, pems: Pems, options: Partial<ConnectOptions> = {}) {
  return connect({ port: relay.port, ...pems, ...options });
}
