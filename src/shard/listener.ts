/**
 * One TLS listener, of the channel port or of the P2P port.
 *
 * Connections are accepted by a plain net.Server and handed to TLS when the accept rate allows; until then they wait, paused,
 * in a bounded queue. Handshakes under way are bounded too: when all places are taken the one that waits longest loses its
 * place, since an honest handshake takes milliseconds. An address from which a client dials again and again waits apart from
 * the others. Everything refused is counted and explained.
 */
import { createServer as createNetServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { TLS_FAILURES, type TlsFailure } from '../base/close-reason.js';
import { RelayError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Stats } from '../base/stats.js';
import { explainPeerTlsFailure } from '../pki/peer-explain.js';
import { classifyServerTlsError, explainTlsFailure, tlsFailureCodes } from '../pki/tls-explain.js';
import { endpointSecureContextOptions, serverTlsOptions } from '../pki/tls-options.js';
import type { AcceptGate } from './accept-gate.js';
import type { BoundListener, ListenerSetup } from './messages.js';

export interface ListenerOptions {
  /** Which port it is, for logs and metrics. */
  readonly name: 'channel' | 'P2P';
  readonly setup: ListenerSetup;
  readonly tls: { readonly ciphers: string; readonly curves: string };
  readonly handshakeTimeoutMs: number;
  readonly gate: AcceptGate;
  readonly stats: Stats;
  readonly logger: Logger;
  readonly onSession: (socket: TLSSocket) => void;
}

/** Where a listener stands in the configuration. */
const KEYS = {
  channel: { port: 'channel_listen_port', ip: 'channel_listen_ip' },
  P2P: { port: 'p2p.listen_port', ip: 'p2p.listen_ip' },
} as const;

function listenError(options: ListenerOptions, error: NodeJS.ErrnoException): RelayError {
  const { ip, port } = options.setup;
  const keys = KEYS[options.name];
  const where = `${options.name} port ${ip}:${port}`;
  const what: Record<string, string> = {
    EADDRINUSE: `${where} is taken by another process: stop it, or choose another ${keys.port}`,
    EACCES: `${where} may not be opened by this user: ports below 1024 need a privilege, choose another one`,
    EADDRNOTAVAIL: `${where}: this machine has no such address, check ${keys.ip}`,
  };
  return new RelayError('listen-failed', what[error.code ?? ''] ?? `${where}: ${error.message}`, error);
}

/**
 * The socket under a TLS socket. Node keeps it under this name in all supported versions; a destroyed TLS socket no longer
 * knows its addresses, so without it a refusal could not be told from another.
 */
const rawOf = (socket: Socket): Socket => (socket as { _parent?: Socket })._parent ?? socket;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #net: Server;
  readonly #tls: TlsServer;
  /** Connections that lost their place: TLS reports their end once more. */
  readonly #evicted = new Set<Socket>();
  readonly #remotes = new WeakMap<Socket, string>();
  #bound = '';
  #kind: ListenerSetup['kind'];

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#kind = options.setup.kind;
    const { setup, tls } = options;
    this.#tls = createTlsServer({
      ...serverTlsOptions(setup, tls),
      handshakeTimeout: options.handshakeTimeoutMs,
    });
    this.#tls.on('secureConnection', (socket) => this.#secured(socket));
    this.#tls.on('tlsClientError', (error, socket) => this.#refused(error, socket));
    this.#net = createNetServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accepted(socket));
  }

  /** Binds the port; rejects with the system's error. */
  async start(): Promise<BoundListener> {
    const { ip, port } = this.#options.setup;
    await new Promise<void>((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException) => reject(listenError(this.#options, error));
      this.#net.once('error', refuse);
      this.#net.listen({ host: ip, port, backlog: 1024 }, () => {
        this.#net.off('error', refuse);
        resolve();
      });
    });
    this.#net.on('error', (error) => this.#log('error', { problem: error.message }, 'accepting a connection failed'));
    const address = this.#net.address();
    const boundPort = typeof address === 'object' && address ? address.port : port;
    this.#bound = `${ip}:${boundPort}`;
    return { ip, port: boundPort, kind: this.#kind };
  }

  /** New handshakes use these certificates, CAs and lists; address and port stay. */
  reload(setup: ListenerSetup, tls: ListenerOptions['tls']): void {
    this.#kind = setup.kind;
    this.#tls.setSecureContext(endpointSecureContextOptions(setup, tls));
  }

  /** Accepts nothing any more; existing sessions live on. */
  stop(): void {
    this.#net.close();
  }

  #accepted(socket: Socket): void {
    const { gate, stats } = this.#options;
    this.#remotes.set(socket, `${socket.remoteAddress}:${socket.remotePort}`);
    stats.add('connectionsAccepted');
    // A connection may end while it waits for its handshake; its error belongs to nobody else.
    socket.on('error', () => {});
    socket.once('close', () => {
      gate.leave(socket);
      // TLS tells of the same end within this turn.
      setImmediate(() => this.#evicted.delete(socket));
    });
    const entry = {
      admit: () => this.#tls.emit('connection', socket),
      evict: () => {
        this.#evicted.add(socket);
        this.#count('too-many-handshakes', socket);
        socket.destroy();
      },
    };
    if (gate.enter(socket, entry, socket.remoteAddress ?? '')) stats.add('connectionsSlowed');
  }

  #secured(socket: TLSSocket): void {
    this.#options.gate.leave(rawOf(socket));
    this.#options.onSession(socket);
  }

  #refused(error: Error, socket: TLSSocket): void {
    if (!this.#evicted.has(rawOf(socket))) {
      this.#count(classifyServerTlsError(error, socket), socket, tlsFailureCodes(error, socket));
    }
    socket.destroy();
  }

  #count(failure: TlsFailure, socket: Socket, codes: { code?: string; verification?: string } = {}): void {
    const { name } = this.#options;
    this.#options.stats.add(name === 'P2P' ? 'p2pTlsFailures' : 'tlsFailures', TLS_FAILURES.indexOf(failure));
    this.#log(
      'warn',
      {
        remote: this.#remotes.get(rawOf(socket)) ?? '',
        failure,
        ...codes,
        explanation: (name === 'P2P' ? explainPeerTlsFailure : explainTlsFailure)(failure, {
          kind: this.#kind,
          ...codes,
        }),
      },
      'TLS handshake refused',
    );
  }

  #log(level: 'warn' | 'error', fields: Record<string, string | undefined>, message: string): void {
    this.#options.logger.log(level, { component: 'tls', listener: this.#bound, ...fields }, message);
  }
}
