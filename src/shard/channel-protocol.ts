/**
 * What each type of channel frame means to the relay (2.x channel protocol). The way of a message starts here:
 * transport/frame-reader.ts -> this file -> core/router.ts -> transport/frame-writer.ts.
 */
import { TopicFault } from '../addon/types.js';
import { CHANNEL_HEADER_BYTES, JSON_BODY_BYTES_MAX, SEQ_BYTES } from '../base/limits.js';
import { DROP_REASONS } from '../base/stats.js';
import { eventFilterRefusal } from '../wire/channel/event-filter.js';
import { encodeFrame, SEQ_OFFSET } from '../wire/channel/frame.js';
import { chooseProtocol, formatHandshakeReply, parseHandshake } from '../wire/channel/handshake.js';
import { heartbeatReply } from '../wire/channel/heartbeat.js';
import { formatRpcError } from '../wire/channel/json-rpc.js';
import { MessageType } from '../wire/channel/message-type.js';
import { hasPrivateTopic } from '../wire/channel/topic.js';
import { parseTopicList } from '../wire/channel/topic-list.js';
import { mayPass } from './bandwidth.js';
import type { ShardContext } from './context.js';
import { owned } from './owned.js';
import type { Session } from './session.js';

/** The channel port always says 2.11.0: Go and Java refuse other forms (decisions §3). */
export const ANNOUNCED_NODE_VERSION = '2.11.0';

/** Capabilities of our own client, granted in the answer to its 0x14. */
const CAPABILITIES = ['reason', 'joined'] as const;

const RPC_CALLS_MAX = 256;
const QUEUE_FULL = DROP_REASONS.indexOf('queue-full');

const seqOf = (frame: Buffer): Buffer => frame.subarray(SEQ_OFFSET, SEQ_OFFSET + SEQ_BYTES);
/** Topic of a well-formed 0x30 or 0x35 that nobody may have. */
const nameOf = (context: ShardContext, topicId: number, frame: Buffer): string =>
  (topicId < 0 ? undefined : context.topics.topic(topicId)?.name) ??
  frame.toString('utf8', CHANNEL_HEADER_BYTES + 1, CHANNEL_HEADER_BYTES + frame[CHANNEL_HEADER_BYTES]);
const bodyOf = (frame: Buffer): Buffer => frame.subarray(CHANNEL_HEADER_BYTES);

/** Acts on one frame. Returns true when subscriptions changed, so that topic ids of the rest of the chunk are stale. */
export function handleFrame(
  context: ShardContext,
  session: Session,
  frame: Buffer,
  type: number,
  result: number,
  topic: number,
): boolean {
  switch (type) {
    case MessageType.unicast:
      if (accepts(context, session, frame, topic)) unicast(context, session, frame, topic);
      return false;
    case MessageType.response:
      if (!context.router.response(session, frame, context.clock.nowMs())) unmatched(context, session, frame);
      return false;
    case MessageType.multicast:
      if (accepts(context, session, frame, topic)) multicast(context, session, frame, topic);
      return false;
    case MessageType.subscribe:
      return subscribe(context, session, frame);
    case MessageType.heartbeat:
      heartbeat(session, frame, result);
      return false;
    case MessageType.handshake:
      handshake(context, session, frame, result);
      return false;
    case MessageType.rpc:
      rpc(context, session, frame);
      return false;
    case MessageType.registerEvent:
    case MessageType.unregisterEvent:
      session.send(encodeFrame(type, seqOf(frame), 0, eventFilterRefusal()));
      return false;
    case MessageType.requestCertification:
      unmatched(context, session, frame);
      return false;
    case MessageType.certificationResult:
      context.privates.result(session, frame);
      return false;
    default:
      session.refuse('unknown-type');
      return false;
  }
}

/**
 * True for a 0x30 or 0x35 that is routed by its topic. Private topics have routes of their own; what cannot be routed by rule is
 * answered with 100 (decisions §5).
 */
function accepts(context: ShardContext, session: Session, frame: Buffer, topic: number): boolean {
  if (topic >= TopicFault.unknown) {
    if (!hasPrivateTopic(frame)) return true;
    context.privates.fromSession(session, frame, topic);
    return false;
  }
  context.router.refuse(session, frame, 100, 'malformed-body');
  session.malformed();
  return false;
}

/** The acknowledgement of a 0x37, or an answer that nobody waits for. */
function unmatched(context: ShardContext, session: Session, frame: Buffer): void {
  if (!context.privates.acknowledges(session, frame)) session.refuse('unmatched-response');
}

function unicast(context: ShardContext, session: Session, frame: Buffer, topic: number): void {
  const nowMs = context.clock.nowMs();
  if (context.flow.enabled && !mayPass(context, session, frame, nameOf(context, topic, frame), 1, false, nowMs)) return;
  context.router.unicast(session, owned(frame), topic, nowMs);
}

function multicast(context: ShardContext, session: Session, frame: Buffer, topic: number): void {
  const { stats } = context;
  if (context.flow.enabled) {
    const known = topic < 0 ? undefined : context.topics.topic(topic);
    const { sessions, peers } = known?.countOthers(session) ?? { sessions: 0, peers: 0 };
    const nowMs = context.clock.nowMs();
    const name = nameOf(context, topic, frame);
    if (!mayPass(context, session, frame, name, sessions + peers, peers > 0, nowMs)) return;
  }
  session.acknowledge(frame);
  const copies = context.router.multicast(session, owned(frame), topic, context.clock.nowMs(), () =>
    stats.add('multicastDropped', QUEUE_FULL),
  );
  if (copies < 0) stats.add('multicastDuplicates');
  else stats.add('multicastCopies', 0, copies);
}

function subscribe(context: ShardContext, session: Session, frame: Buffer): boolean {
  const list = parseTopicList(bodyOf(frame));
  if (!list.ok) {
    session.refuse('topic-list');
    context.logger.log(
      'warn',
      { component: 'channel', session: session.label, problem: list.problem },
      'topic list refused, the old one is kept',
    );
    return false;
  }
  for (const { problem } of list.refused) {
    session.refuse('topic');
    context.logger.log('warn', { component: 'channel', session: session.label, problem }, 'topic left out of a list');
  }
  const change = context.topics.replace(session, list.topics);
  if (change.added.length === 0 && change.removed.length === 0) return false;
  context.stats.set('subscriptions', context.topics.subscriptions);
  context.subscriptionsChanged(change);
  context.privates.subscribed(session, list.topics);
  // What waits for somebody to subscribe comes before what is sent from now on.
  if (change.added.length > 0) context.router.routesChanged(context.clock.nowMs());
  context.logger.log(
    'debug',
    { component: 'channel', session: session.label, topics: list.topics.length },
    'subscriptions replaced',
  );
  return true;
}

function heartbeat(session: Session, frame: Buffer, result: number): void {
  const body = heartbeatReply(session.protocol, bodyOf(frame));
  if (body) session.send(encodeFrame(MessageType.heartbeat, seqOf(frame), result, body));
}

function handshake(context: ShardContext, session: Session, frame: Buffer, result: number): void {
  const request = parseHandshake(bodyOf(frame));
  if (!request.ok) {
    // The reference answers nothing and keeps the connection.
    session.refuse('handshake');
    context.logger.log(
      'warn',
      { component: 'channel', session: session.label, problem: request.problem },
      'protocol handshake (0x14) ignored',
    );
    return;
  }
  const protocol = chooseProtocol(request.minimum, request.maximum);
  if (protocol === undefined) {
    session.close('protocol-version');
    return;
  }
  const asked = request.clientType === 'amop-relay' ? CAPABILITIES.filter((c) => request.capabilities.includes(c)) : [];
  session.protocol = protocol;
  session.clientType = request.clientType;
  session.wantsReason = asked.includes('reason');
  // Java and web3sdk both say java-sdk; both decode frames from a stream.
  session.writer.joined = request.clientType === 'java-sdk' || asked.includes('joined');
  const reply = formatHandshakeReply({
    nodeVersion: ANNOUNCED_NODE_VERSION,
    protocol,
    ...(asked.length > 0 ? { capabilities: asked } : {}),
  });
  session.send(encodeFrame(MessageType.handshake, seqOf(frame), result, reply));
  context.logger.log(
    session.identity.isRedialling ? 'debug' : 'info',
    {
      component: 'channel',
      session: session.label,
      clientType: request.clientType.slice(0, 64),
      protocol,
      mode: session.writer.joined ? 'joined' : 'strict',
    },
    'protocol handshake',
  );
}

function rpc(context: ShardContext, session: Session, frame: Buffer): void {
  const body = bodyOf(frame);
  const problem =
    body.length > JSON_BODY_BYTES_MAX
      ? `request body is larger than ${JSON_BODY_BYTES_MAX} bytes`
      : session.rpcCalls >= RPC_CALLS_MAX
        ? `more than ${RPC_CALLS_MAX} requests without an answer on this connection`
        : undefined;
  if (problem === undefined) {
    context.callControl(session, Buffer.from(seqOf(frame)), body);
    return;
  }
  session.refuse('rpc');
  session.send(encodeFrame(MessageType.rpc, seqOf(frame), 0, formatRpcError(null, -32600, problem)));
}
