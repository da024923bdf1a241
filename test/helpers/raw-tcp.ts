/** Plain TCP connections to a TLS port: half-open handshakes and foreign protocols. */
import { once } from 'node:events';
import net from 'node:net';
import { withDeadline } from './deadline.js';

export class RawTcp {
  readonly socket: net.Socket;
  received = Buffer.alloc(0);
  private readonly end: Promise<void>;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.end = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  static async connect(port: number): Promise<RawTcp> {
    const socket = net.connect({ host: '127.0.0.1', port });
    const client = new RawTcp(socket);
    await withDeadline(once(socket, 'connect'), 8_000, 'a TCP connection');
    return client;
  }

  waitForClose(deadlineMs: number): Promise<void> {
    return withDeadline(this.end, deadlineMs, 'the end of a TCP connection');
  }
}
