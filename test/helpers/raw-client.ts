/**
 * A channel client on node:tls, below every SDK: it records each frame with its time of arrival and does nothing by
 * itself unless told to answer. Written from the specification; imports nothing of the relay.
 */
import { once } from 'node:events';
import tls from 'node:tls';
import { DEFAULT_DEADLINE_MS, withDeadline } from './deadline.js';
import type { Credentials } from './pki.js';
import { amopBody, decodeFrame, encodeFrame, type Frame, FrameReader, newSeq, parseAmopBody, TYPE } from './wire.js';

export interface ReceivedFrame extends Frame {
  /** performance.now() at arrival. */
  readonly atMs: number;
}

/** What a subscriber sends back; the body is the whole AMOP body. `undefined` is silence. */
export type Answer = { readonly result?: number; readonly body: Uint8Array } | undefined;
export type Answerer = (frame: ReceivedFrame) => Answer;

export interface RawClientOptions {
  readonly port: number;
  readonly credentials: Credentials;
  /** Overrides of the TLS options, for the clients that must be refused. */
  readonly tls?: tls.ConnectionOptions;
  readonly name?: string;
  readonly deadlineMs?: number;
  /** Called before anything else; return true when the frame need not be kept. */
  readonly onFrame?: (frame: ReceivedFrame) => boolean | undefined;
}

interface Waiter {
  readonly matches: (frame: ReceivedFrame) => boolean;
  readonly resolve: (frame: ReceivedFrame) => void;
  readonly reject: (error: Error) => void;
}

export function tlsOptions(port: number, credentials: Credentials): tls.ConnectionOptions {
  return {
    host: '127.0.0.1',
    port,
    ...credentials,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    ecdhCurve: 'P-256:P-384:secp256k1',
    checkServerIdentity: () => undefined,
  };
}

/** Node 24 and 26 crash in getPeerCertificate() on a secp256k1 certificate, and node:tls calls it when it verifies. */
export function guardPeerCertificate(socket: tls.TLSSocket): void {
  (socket as { getPeerCertificate: () => unknown }).getPeerCertificate = () => socket.getPeerX509Certificate();
}

export class RawClient {
  readonly name: string;
  readonly socket: tls.TLSSocket;
  readonly received: ReceivedFrame[] = [];
  answerer: Answerer | undefined;
  private readonly waiters = new Set<Waiter>();
  private readonly reader = new FrameReader();
  private readonly onFrame: RawClientOptions['onFrame'];
  private taken = 0;
  private closedAtMs: number | undefined;
  private lastError: Error | undefined;

  private constructor(options: RawClientOptions) {
    this.name = options.name ?? 'client';
    this.onFrame = options.onFrame;
    this.socket = tls.connect({ ...tlsOptions(options.port, options.credentials), ...options.tls });
    guardPeerCertificate(this.socket);
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk: Buffer) => this.receive(chunk));
    this.socket.on('error', (error) => {
      this.lastError = error;
    });
    this.socket.on('close', () => this.closed());
  }

  static async connect(options: RawClientOptions): Promise<RawClient> {
    const client = new RawClient(options);
    const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    try {
      await withDeadline(
        Promise.race([
          once(client.socket, 'secureConnect'),
          once(client.socket, 'close').then(() => {
            throw client.lastError ?? new Error('closed within the TLS handshake');
          }),
        ]),
        deadlineMs,
        `the TLS handshake of ${client.name}`,
      );
    } catch (error) {
      client.destroy();
      throw error;
    }
    return client;
  }

  get isClosed(): boolean {
    return this.closedAtMs !== undefined;
  }

  /** Sends one frame with one write and returns its seq. */
  send(type: number, body: Uint8Array | string, seq: string = newSeq(), result = 0): string {
    this.socket.write(encodeFrame(type, seq, result, body));
    return seq;
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The first frame, received already or yet to come, for which `matches` holds. */
  waitFor(
    matches: (frame: ReceivedFrame) => boolean,
    what: string,
    deadlineMs: number = DEFAULT_DEADLINE_MS,
  ): Promise<ReceivedFrame> {
    const known = this.received.find(matches);
    if (known !== undefined) return Promise.resolve(known);
    if (this.isClosed) return Promise.reject(this.closedError(what));
    let waiter: Waiter | undefined;
    const arrival = new Promise<ReceivedFrame>((resolve, reject) => {
      waiter = { matches, resolve, reject: () => reject(this.closedError(what)) };
      this.waiters.add(waiter);
    });
    return withDeadline(arrival, deadlineMs, () => `${what} (${this.describe()})`).finally(() => {
      if (waiter !== undefined) this.waiters.delete(waiter);
    });
  }

  /** The frames in their order, one a call. */
  async next(what: string, deadlineMs: number = DEFAULT_DEADLINE_MS): Promise<ReceivedFrame> {
    const index = this.taken;
    const frame = await this.waitFor((candidate) => this.received.indexOf(candidate) >= index, what, deadlineMs);
    this.taken = this.received.indexOf(frame) + 1;
    return frame;
  }

  /** Frames that `next` has not handed out. */
  get unread(): readonly ReceivedFrame[] {
    return this.received.slice(this.taken);
  }

  waitForClose(deadlineMs: number = DEFAULT_DEADLINE_MS): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    return withDeadline(
      new Promise<void>((resolve) => this.socket.once('close', () => resolve())),
      deadlineMs,
      () => `the end of the connection of ${this.describe()}`,
    );
  }

  /**
   * Returns when the relay has handled everything sent before on this connection: frames of a session are handled in
   * order, and a heartbeat of body `0` is answered on every protocol version.
   */
  async barrier(deadlineMs: number = DEFAULT_DEADLINE_MS): Promise<void> {
    const seq = this.send(TYPE.heartbeat, '0');
    const answer = await this.waitFor((frame) => frame.seq === seq, 'the answer to a heartbeat', deadlineMs);
    this.received.splice(this.received.indexOf(answer), 1);
  }

  async handshake(clientType = 'raw', maximumSupport = 3): Promise<ReceivedFrame> {
    const seq = this.send(TYPE.handshake, JSON.stringify({ maximumSupport, minimumSupport: 1, clientType }));
    return this.waitFor((frame) => frame.seq === seq, 'the answer to 0x14');
  }

  /** Replaces the topic set; returns when the relay has applied it. */
  async subscribe(...topics: string[]): Promise<void> {
    this.send(TYPE.subscribe, JSON.stringify(topics));
    await this.barrier();
  }

  unicast(topic: string, payload: Uint8Array | string = '', seq: string = newSeq()): string {
    return this.send(TYPE.unicast, amopBody(topic, payload), seq);
  }

  multicast(topic: string, payload: Uint8Array | string = '', seq: string = newSeq()): string {
    return this.send(TYPE.multicast, amopBody(topic, payload), seq);
  }

  response(seq: string, deadlineMs?: number): Promise<ReceivedFrame> {
    return this.waitFor((frame) => frame.type === TYPE.response && frame.seq === seq, `0x31 of ${seq}`, deadlineMs);
  }

  /** A unicast and its answer. */
  request(topic: string, payload: Uint8Array | string = '', deadlineMs?: number): Promise<ReceivedFrame> {
    return this.response(this.unicast(topic, payload), deadlineMs);
  }

  /** A JSON-RPC call and the parsed answer. */
  async rpc(method: string, params: unknown = []): Promise<{ result?: unknown; error?: { code: number } }> {
    const seq = this.send(TYPE.rpc, JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }));
    const answer = await this.waitFor((frame) => frame.seq === seq, `the answer to ${method}`);
    return JSON.parse(answer.body.toString());
  }

  /** Answers every 0x30 with the topic and `echo:` before the payload, as the subscriber of the captures did. */
  answerWithEcho(): void {
    this.answerer = (frame) => {
      const { topic, payload } = parseAmopBody(frame.body);
      return { body: amopBody(topic, Buffer.concat([Buffer.from('echo:'), payload])) };
    };
  }

  framesOf(type: number): ReceivedFrame[] {
    return this.received.filter((frame) => frame.type === type);
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

  /** Closes politely and waits until the socket is gone. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.socket.end();
    this.socket.resume();
    await this.waitForClose();
  }

  private receive(chunk: Buffer): void {
    const atMs = performance.now();
    this.reader.push(chunk, (bytes) => {
      const frame: ReceivedFrame = { ...decodeFrame(bytes), atMs };
      if (this.onFrame?.(frame) !== true) this.received.push(frame);
      for (const waiter of this.waiters) if (waiter.matches(frame)) waiter.resolve(frame);
      if (frame.type !== TYPE.unicast || this.answerer === undefined) return;
      const answer = this.answerer(frame);
      if (answer !== undefined) this.send(TYPE.response, answer.body, frame.seq, answer.result ?? 0);
    });
  }

  private closed(): void {
    this.closedAtMs = performance.now();
    for (const waiter of this.waiters) waiter.reject(new Error('closed'));
  }

  private closedError(what: string): Error {
    return new Error(
      `${this.name} was disconnected while waiting for ${what}: ${this.lastError?.message ?? 'no error'}`,
    );
  }

  private describe(): string {
    const tail = this.received.slice(-5).map((frame) => `0x${frame.type.toString(16)} ${frame.seq} ${frame.result}`);
    return `${this.name} received ${this.received.length} frames, last: ${tail.join(', ') || 'none'}`;
  }
}
