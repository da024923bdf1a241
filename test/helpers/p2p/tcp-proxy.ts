/**
 * A TCP proxy in front of a P2P port. It listens before the port behind it is known, so that two relays can be told to
 * dial each other; and it can delay, hold, cut and refuse connections and count their bytes.
 */

import net from 'node:net';
import { passTime } from '../deadline.js';

export interface ProxyPair {
  readonly client: net.Socket;
  upstream: net.Socket | undefined;
}

export class TcpProxy {
  /** Where connections go; undefined refuses them. */
  target: number | undefined;
  /** Bytes of the wire, TLS included, since the start. */
  bytesToTarget = 0;
  bytesFromTarget = 0;
  /** Connections accepted, refused ones included. */
  accepted = 0;
  /** Milliseconds that the next connection waits before its first byte passes. */
  delayMs: () => number = () => 0;
  private readonly pairs = new Set<ProxyPair>();
  private readonly server: net.Server;
  private refuses = false;
  private gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;

  private constructor() {
    this.server = net.createServer({ pauseOnConnect: true }, (client) => void this.accept(client));
  }

  static async start(target?: number): Promise<TcpProxy> {
    const proxy = new TcpProxy();
    proxy.target = target;
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port;
  }

  /** Connections that pass bytes now. */
  get live(): number {
    return [...this.pairs].filter(({ upstream }) => upstream !== undefined).length;
  }

  /** Connections that wait at the gate. */
  get held(): number {
    return this.pairs.size - this.live;
  }

  /** Resets every connection and refuses new ones until `open` or `hold`. */
  cut(): void {
    this.refuses = true;
    this.gate?.open();
    this.gate = undefined;
    for (const { client, upstream } of [...this.pairs]) {
      client.destroy();
      upstream?.destroy();
    }
  }

  /** Accepts and passes nothing until `open`. */
  hold(): void {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.gate = { opened, open };
    this.refuses = false;
  }

  open(): void {
    this.refuses = false;
    this.gate?.open();
    this.gate = undefined;
  }

  /** Passes no byte in either direction and closes nothing, as a network that drops packets. */
  freeze(): void {
    for (const { client, upstream } of this.pairs) {
      client.pause();
      upstream?.pause();
    }
  }

  thaw(): void {
    for (const { client, upstream } of this.pairs) {
      client.resume();
      upstream?.resume();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async accept(client: net.Socket): Promise<void> {
    this.accepted++;
    client.on('error', () => client.destroy());
    if (this.refuses || this.target === undefined) return void client.resetAndDestroy();
    const pair: ProxyPair = { client, upstream: undefined };
    this.pairs.add(pair);
    client.on('close', () => {
      this.pairs.delete(pair);
      pair.upstream?.destroy();
    });
    await this.gate?.opened;
    const delayMs = this.delayMs();
    if (delayMs > 0) await passTime(delayMs);
    if (client.destroyed || this.refuses || this.target === undefined) return void client.destroy();
    const upstream = net.connect({ host: '127.0.0.1', port: this.target, noDelay: true });
    client.setNoDelay(true);
    pair.upstream = upstream;
    upstream.on('error', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.on('data', (chunk) => {
      this.bytesToTarget += chunk.length;
      if (!upstream.write(chunk)) pauseUntilDrained(client, upstream);
    });
    upstream.on('data', (chunk) => {
      this.bytesFromTarget += chunk.length;
      if (!client.write(chunk)) pauseUntilDrained(upstream, client);
    });
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
    client.resume();
  }
}

function pauseUntilDrained(from: net.Socket, to: net.Socket): void {
  from.pause();
  to.once('drain', () => from.resume());
}
