/** Plain TCP connections to a TLS port: half-open handshakes and foreign protocols. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { withDeadline } from './deadline.js';
import type { Credentials } from './pki.js';
import { tlsOptions } from './raw-client.js';

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

export const ALERT_UNKNOWN_CA = 48;

/** A real ClientHello, and a fatal alert in place of what the client would say to the server's first flight. */
export async function alertAfterServerHello(port: number, credentials: Credentials, alert: number): Promise<void> {
  const upstream = net.connect({ host: '127.0.0.1', port });
  const between = net.createServer((client) => {
    client.on('error', () => {});
    client.on('data', (hello) => upstream.write(hello));
    upstream.once('data', () => upstream.write(Buffer.from([21, 3, 3, 0, 2, 2, alert])));
    upstream.on('data', () => {});
    upstream.on('close', () => client.destroy());
  });
  upstream.on('error', () => {});
  const ended = new Promise<void>((resolve) => upstream.once('close', () => resolve()));
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  const client = tls.connect(tlsOptions((between.address() as net.AddressInfo).port, credentials));
  client.on('error', () => {});
  try {
    await withDeadline(ended, 8_000, 'the relay to end the connection after the alert');
  } finally {
    client.destroy();
    upstream.destroy();
    between.close();
  }
}
