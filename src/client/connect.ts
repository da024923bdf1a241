import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { errorText } from '../base/errors.js';
import type { TlsIdentity } from '../pki/identity.js';
import { explainDialError } from '../pki/tls-explain.js';
import { dialTls } from '../pki/tls-options.js';
import { encodeFrame } from '../wire/channel/frame.js';
import { formatHandshakeRequest, parseHandshakeReply } from '../wire/channel/handshake.js';
import { MessageType } from '../wire/channel/message-type.js';
import { AmopCode, AmopError } from './amop-error.js';
import { AmopClient, type ServerInfo } from './client.js';
import { clientIdentity } from './credentials.js';
import { Exchanges } from './exchanges.js';
import { Link } from './link.js';
import { type ConnectOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { seqBytes } from './seq.js';

/** With `reason` errors say why, with `joined` the relay may put several frames into one TLS record. */
const HELLO = formatHandshakeRequest({
  minimum: 1,
  maximum: 3,
  clientType: 'amop-relay',
  capabilities: ['reason', 'joined'],
});

/**
 * Connects to a relay or a 2.x node: TCP, mutual TLS 1.2 with the server's chain verified against `ca`, then the
 * protocol handshake, which asks for reasons in errors.
 *
 * @throws TypeError, RangeError wrong options
 * @throws RelayError `certificate-invalid` or `key-invalid`: our own certificate or key cannot work
 * @throws AmopError 99: not reachable, refused, not a channel port, or not done within `connectTimeoutMs`
 */
export async function connect(options: ConnectOptions): Promise<AmopClient> {
  const resolved = resolveOptions(options);
  const identity = clientIdentity(resolved, new Date());
  const deadlineMs = performance.now() + resolved.connectTimeoutMs;
  const socket = dialTls({ host: resolved.host, port: resolved.port, identity });
  await secured(socket, resolved, identity.kind);
  const link = new Link(socket, resolved.queueBytesMax);
  const exchanges = new Exchanges(link, resolved.outstandingMax);
  link.attach({
    onFrame: (frame) => exchanges.answer(frame),
    onEnd: (error) => exchanges.failAll(error),
  });
  try {
    const leftMs = Math.max(1, Math.floor(deadlineMs - performance.now()));
    return new AmopClient(await negotiate(exchanges, resolved, leftMs), link, exchanges, resolved);
  } catch (error) {
    link.fail('connect-failed', errorText(error));
    throw error;
  }
}

/** Resolves when TLS is established and the server verified. */
async function secured(socket: TLSSocket, options: ResolvedOptions, kind: TlsIdentity['kind']): Promise<void> {
  const timeout = AbortSignal.timeout(options.connectTimeoutMs);
  try {
    await once(socket, 'secureConnect', { signal: timeout });
  } catch (error) {
    // A late error of the abandoned socket is nobody's business any more.
    socket.on('error', () => {});
    socket.destroy();
    const detail = timeout.aborted
      ? `${at(options)} did not complete the connection within ${options.connectTimeoutMs} ms`
      : explainDialError(error, { host: options.host, port: options.port, kind });
    throw new AmopError(AmopCode.notSent, {
      reason: timeout.aborted ? 'connect-timeout' : 'connect-failed',
      detail,
      cause: error,
    });
  }
}

/** 0x14. A server that refuses our certificate lets TLS complete and closes only now, without a word. */
async function negotiate(exchanges: Exchanges, options: ResolvedOptions, timeoutMs: number): Promise<ServerInfo> {
  let reply: Buffer;
  try {
    const frame = await exchanges.start({
      answerType: MessageType.handshake,
      encode: (seq) => encodeFrame(MessageType.handshake, seqBytes(seq), 0, HELLO),
      timeoutMs,
    });
    reply = frame.body;
  } catch (error) {
    throw refused(error, options);
  }
  const parsed = parseHandshakeReply(reply);
  if (!parsed.ok) {
    const detail = `${at(options)} answered the protocol handshake with something else: ${parsed.problem}`;
    throw new AmopError(AmopCode.notSent, { reason: 'handshake-failed', detail });
  }
  const { nodeVersion, protocol, capabilities } = parsed;
  return { nodeVersion, protocol, capabilities };
}

function refused(error: unknown, options: ResolvedOptions): unknown {
  if (!(error instanceof AmopError)) return error;
  if (error.code === AmopCode.timeout) {
    const detail = `${at(options)} did not answer the protocol handshake within ${options.connectTimeoutMs} ms`;
    return new AmopError(AmopCode.notSent, { reason: 'connect-timeout', detail, cause: error });
  }
  if (error.reason !== 'connection-lost') return error;
  const detail = `${at(options)} closed the connection right after TLS: it probably refuses our certificate, its log says why`;
  return new AmopError(AmopCode.notSent, { reason: 'refused', detail, cause: error });
}

function at(options: ResolvedOptions): string {
  return options.host.includes(':') ? `[${options.host}]:${options.port}` : `${options.host}:${options.port}`;
}
