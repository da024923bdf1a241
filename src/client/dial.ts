/** One attempt to connect to one relay: TCP, mutual TLS 1.2 with the server's chain verified, protocol handshake. */
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import type { TlsIdentity } from '../pki/identity.js';
import { explainDialError, isNotTls } from '../pki/tls-explain.js';
import { dialTls } from '../pki/tls-options.js';
import { encodeFrame } from '../wire/channel/frame.js';
import { formatHandshakeRequest, parseHandshakeReply } from '../wire/channel/handshake.js';
import { MessageType } from '../wire/channel/message-type.js';
import { formatRelayAddress, type RelayAddress } from './address.js';
import { AmopCode, AmopError } from './amop-error.js';
import { type AbortHub, Deadline } from './deadline.js';
import { Exchanges } from './exchanges.js';
import { Link } from './link.js';
import { probePort } from './port-probe.js';
import { newSeq, seqBytes } from './seq.js';
import type { Connection, ServerInfo } from './session.js';

/** With `reason` errors say why, with `joined` the relay may put several frames into one TLS record. */
const HELLO = formatHandshakeRequest({
  minimum: 1,
  maximum: 3,
  clientType: 'amop-relay',
  capabilities: ['reason', 'joined'],
});

export interface DialRequest {
  readonly address: RelayAddress;
  readonly identity: TlsIdentity;
  readonly connectTimeoutMs: number;
  readonly queueBytesMax: number;
  /** Find out what a port speaks that does not speak TLS, with a second connection. */
  readonly diagnose: boolean;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
  readonly hub: AbortHub;
}

/** @throws AmopError 99, or the signal's reason */
export async function dial(request: DialRequest): Promise<Connection> {
  const deadline = new Deadline(request.connectTimeoutMs, request.signal, request.hub);
  const socket = dialTls({ ...request.address, identity: request.identity });
  await secured(socket, request, deadline);
  const link = new Link(socket, request.queueBytesMax);
  const exchanges = new Exchanges(link);
  link.attach({
    onFrame: (frame) => exchanges.answer(frame),
    onEnd: (error) => exchanges.failAll(error),
  });
  try {
    return { link, exchanges, server: await negotiate(exchanges, link, request, deadline) };
  } catch (error) {
    link.fail('connect-failed', 'the protocol handshake failed', error);
    throw error;
  }
}

/** Resolves when TLS is established and the server verified. */
async function secured(socket: TLSSocket, request: DialRequest, deadline: Deadline): Promise<void> {
  const { address, connectTimeoutMs, identity } = request;
  let reached = false;
  socket.once('connect', () => {
    reached = true;
  });
  let expired = false;
  try {
    await deadline.race(once(socket, 'secureConnect'), () => {
      expired = true;
      return undefined;
    });
  } catch (error) {
    // A late error of the abandoned socket is nobody's business any more.
    socket.on('error', () => {});
    socket.destroy();
    if (request.signal.aborted) throw request.signal.reason;
    if (expired) {
      const what = reached
        ? 'accepted the connection but did not answer TLS: a port without TLS, or an overloaded relay'
        : 'did not answer: check address, route and firewall';
      const detail = `${at(request)} ${what} (waited ${connectTimeoutMs} ms)`;
      throw new AmopError(AmopCode.notSent, { reason: 'connect-timeout', detail });
    }
    const foreign = request.diagnose && isNotTls(error) ? await probePort(address) : undefined;
    const detail = explainDialError(error, { ...address, kind: identity.kind, foreign });
    throw new AmopError(AmopCode.notSent, { reason: 'connect-failed', detail, cause: error });
  }
}

/** 0x14. A server that refuses our certificate lets TLS complete and closes only now, without a word. */
async function negotiate(
  exchanges: Exchanges,
  link: Link,
  request: DialRequest,
  deadline: Deadline,
): Promise<ServerInfo> {
  const seq = newSeq();
  let reply: Buffer;
  try {
    const bytes = encodeFrame(MessageType.handshake, seqBytes(seq), 0, HELLO);
    reply = (await exchanges.start({ seq, answerType: MessageType.handshake, bytes, deadline })).body;
  } catch (error) {
    throw handshakeError(error, link, request);
  }
  const parsed = parseHandshakeReply(reply);
  if (!parsed.ok) {
    const detail = `${at(request)} answered the protocol handshake with something else: ${parsed.problem}`;
    throw new AmopError(AmopCode.notSent, { reason: 'handshake-failed', detail });
  }
  const { nodeVersion, protocol, capabilities } = parsed;
  return { nodeVersion, protocol, capabilities };
}

function handshakeError(error: unknown, link: Link, request: DialRequest): unknown {
  if (!(error instanceof AmopError)) return error;
  // Whether the socket had taken our frame does not matter here: why the link ended does.
  const reason = link.error?.reason ?? error.reason;
  if (reason === 'timeout' || reason === 'not-written') {
    const detail = `${at(request)} did not answer the protocol handshake within ${request.connectTimeoutMs} ms: is it a channel port?`;
    return new AmopError(AmopCode.notSent, { reason: 'connect-timeout', detail, cause: error });
  }
  if (reason === 'bad-frame') {
    const detail = `${at(request)}: ${error.detail}`;
    return new AmopError(AmopCode.notSent, { reason: 'handshake-failed', detail, cause: error });
  }
  if (reason !== 'connection-lost') return error;
  const detail =
    `${at(request)} closed the connection right after TLS: probably it refuses our certificate (foreign, expired, ` +
    'revoked or on a list), its log says why; else it is full, or this is its P2P port';
  return new AmopError(AmopCode.notSent, { reason: 'refused', detail, cause: error });
}

function at(request: DialRequest): string {
  return formatRelayAddress(request.address);
}
