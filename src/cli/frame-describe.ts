/** One frame in words: every field, the body as what it is, and with a problem the byte where it stands. */
import { isUtf8 } from 'node:buffer';
import { CHANNEL_FRAME_BYTES_MAX, CHANNEL_HEADER_BYTES, P2P_FRAME_BYTES_MAX } from '../base/limits.js';
import { decodeAmopBody } from '../wire/channel/amop-body.js';
import { decodeFrame } from '../wire/channel/frame.js';
import { readJson } from '../wire/channel/json-read.js';
import { MessageType } from '../wire/channel/message-type.js';
import { parsePrivateTopic, topicFault } from '../wire/channel/topic.js';
import { decodeP2PFrame, P2P_HEADER_BYTES } from '../wire/p2p/frame.js';
import { AmopPacketType, P2PModule, protocolParts, TopicPacketType } from '../wire/p2p/protocol-id.js';
import { decompress } from '../wire/p2p/snappy.js';
import { parseTopicSeq, parseTopics } from '../wire/p2p/topics.js';
import { type FrameFormat, MODULE_NAMES } from './frame-split.js';

/** Names to values; a value is a line of text, a number, or a group of its own. */
export interface Description {
  readonly [name: string]: string | number | boolean | readonly string[] | Description | undefined;
}

export interface Detail {
  /** Payload bytes that are shown. */
  readonly bytesMax: number;
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [MessageType.rpc]: 'JSON-RPC',
  [MessageType.heartbeat]: 'heartbeat',
  [MessageType.handshake]: 'handshake',
  [MessageType.registerEvent]: 'register event filter',
  [MessageType.unregisterEvent]: 'unregister event filter',
  [MessageType.unicast]: 'unicast',
  [MessageType.response]: 'answer',
  [MessageType.subscribe]: 'topic list',
  [MessageType.multicast]: 'multicast',
  [MessageType.requestCertification]: 'request to certify a subscriber',
  [MessageType.certificationResult]: 'result of a certification',
  [MessageType.transactionNotify]: 'transaction receipt',
  [MessageType.blockNotify]: 'block notification',
  [MessageType.eventPush]: 'event push',
};

const RESULT_NAMES: Readonly<Record<number, string>> = {
  0: 'success',
  99: 'AMOP-99, not sent',
  100: 'AMOP-100, no subscriber reached',
  101: 'AMOP-101, not handed over',
  102: 'AMOP-102, no answer in time',
  103: 'AMOP-103, over a bandwidth limit',
  104: 'AMOP-104, no answer behind a 2.x node',
};

/** Types whose body begins with a topic. */
const WITH_TOPIC: ReadonlySet<number> = new Set([
  MessageType.unicast,
  MessageType.response,
  MessageType.multicast,
  MessageType.registerEvent,
  MessageType.unregisterEvent,
  MessageType.blockNotify,
]);

/** Shown whole, so bounded for the reader and not for the wire. */
const JSON_BOUNDS = { bytesMax: 2 * 1024 * 1024, depthMax: 64, separatorsMax: 65_536 };
const TOPICS_SHOWN_MAX = 1_024;

/** `at` is where the frame begins in the input. */
export function describeFrame(format: FrameFormat, bytes: Buffer, at: number, detail: Detail): Description {
  return format === 'channel' ? describeChannel(bytes, at, detail) : describeP2P(format, bytes, at, detail);
}

/** What the header of a frame says whose rest is not there; nothing while the header itself is not whole. */
export function describeCutFrame(format: FrameFormat, bytes: Buffer): Description {
  const headerBytes = format === 'channel' ? CHANNEL_HEADER_BYTES : P2P_HEADER_BYTES[format];
  if (bytes.length < headerBytes) return {};
  const header = Buffer.from(bytes.subarray(0, headerBytes));
  header.writeUInt32BE(headerBytes, 0);
  const { body, payload, ...fields } = describeFrame(format, header, 0, { bytesMax: 0 });
  return { ...fields, length: bytes.readUInt32BE(0) };
}

function describeChannel(bytes: Buffer, at: number, detail: Detail): Description {
  const decoded = decodeFrame(bytes);
  if (decoded.status !== 'ok') return { problem: `no channel frame at byte ${at}: ${statusText(decoded)}` };
  const { type, seq, result, body } = decoded.frame;
  return {
    length: bytes.length,
    type: named(`0x${type.toString(16)}`, TYPE_NAMES[type]),
    seq: /^[\x21-\x7e]+$/.test(seq.toString('latin1')) ? seq.toString('latin1') : `0x${seq.toString('hex')}`,
    result: named(String(result), RESULT_NAMES[result]),
    ...(body.length === 0 ? { body: 'empty' } : bodyOf(type, body, at + CHANNEL_HEADER_BYTES, detail)),
  };
}

function bodyOf(type: number, body: Buffer, at: number, detail: Detail): Description {
  if (!WITH_TOPIC.has(type)) return contentOf('body', body, detail);
  const decoded = decodeAmopBody(body);
  if (!decoded.ok) {
    const problem =
      decoded.fault === 'length-zero'
        ? `byte ${at}, the length of the topic, is 0: it counts itself, so 1 is the empty topic`
        : `byte ${at} says that the topic ends at byte ${at + body[0]}, but the body ends at ${at + body.length}`;
    return { problem, ...contentOf('body', body, detail) };
  }
  const topic = decoded.topic.toString('utf8');
  const fault = topicFault(decoded.topic);
  return {
    topic: JSON.stringify(topic),
    ...(fault === undefined
      ? {}
      : { problem: `the topic at byte ${at + 1} has a control character, which no topic may have` }),
    topicKind: kindOf(topic),
    ...(decoded.payload.length === 0 ? { payload: 'empty' } : contentOf('payload', decoded.payload, detail)),
  };
}

function kindOf(topic: string): string | undefined {
  const parsed = parsePrivateTopic(topic);
  if (parsed === undefined) return undefined;
  const name = JSON.stringify(parsed.name);
  switch (parsed.kind) {
    case 'message':
      return `messages of the private topic ${name}`;
    case 'challenge':
      return `challenges of the private topic ${name}`;
    case 'push':
      return `sender of the private topic ${name}`;
  }
}

/** JSON as JSON, text as text, the rest as hex. */
function contentOf(name: string, bytes: Buffer, detail: Detail): Description {
  const size = { [`${name}Bytes`]: bytes.length };
  const first = bytes[0];
  // A lone digit is JSON too, but nobody reads it so.
  if (first === 0x7b || first === 0x5b) {
    const read = readJson(bytes, JSON_BOUNDS);
    if (read.ok) return { ...size, [`${name}Json`]: cutText(JSON.stringify(read.value), detail.bytesMax) };
    return { ...size, ...rawOf(name, bytes, detail), [`${name}Note`]: `begins like JSON, but is ${read.problem}` };
  }
  return { ...size, ...rawOf(name, bytes, detail) };
}

function rawOf(name: string, bytes: Buffer, detail: Detail): Description {
  const shown = bytes.subarray(0, detail.bytesMax);
  const cut = shown.length < bytes.length ? ' …' : '';
  // Cut inside a character, the end decodes to a replacement.
  const text = isUtf8(bytes) ? shown.toString('utf8').replace(/\ufffd+$/, '') : '\0';
  if (/(?![\t\n\r])\p{Cc}/u.test(text)) return { [`${name}Hex`]: `${shown.toString('hex')}${cut}` };
  return { [name]: `${JSON.stringify(text)}${cut}` };
}

function describeP2P(format: 'rc1' | 'rc2', bytes: Buffer, at: number, detail: Detail): Description {
  const decoded = decodeP2PFrame(format, bytes);
  if (decoded.status !== 'ok') return { problem: `no P2P frame at byte ${at}: ${statusText(decoded)}` };
  const { version, protocolId, packetType, seq, compressed, payload } = decoded.frame;
  const { group, module, response } = protocolParts(format, protocolId);
  const amop = group === 0 && module === P2PModule.amop;
  const topics = group === 0 && module === P2PModule.topics;
  const head: Description = {
    length: bytes.length,
    ...(format === 'rc2' ? { version: named(`0x${version.toString(16)}`, compressed ? 'compressed' : undefined) } : {}),
    protocolId: `${protocolId} (${MODULE_NAMES[module] ?? `module ${module}`}${group === 0 ? '' : `, group ${group}`}, ${response ? 'response' : 'request'})`,
    packetType: named(
      String(packetType),
      amop ? nameIn(AmopPacketType, packetType) : topics ? nameIn(TopicPacketType, packetType) : undefined,
    ),
    seq,
  };
  const payloadAt = at + P2P_HEADER_BYTES[format];
  if (payload.length === 0) return { ...head, payload: 'empty' };
  let plain = payload;
  let inner = payloadAt;
  if (compressed) {
    const result = decompress(payload, P2P_FRAME_BYTES_MAX);
    if (!result.ok) {
      return {
        ...head,
        problem: `the Snappy block at byte ${payloadAt} cannot be decompressed (${result.problem})`,
        ...rawOf('payload', payload, detail),
      };
    }
    plain = result.bytes;
    inner = 0;
  }
  const unpacked = compressed ? { decompressed: `${payload.length} bytes to ${plain.length}` } : {};
  if (amop) return { ...head, ...unpacked, frame: describeInner(plain, inner, detail) };
  if (topics) return { ...head, ...unpacked, ...topicsOf(packetType, plain, payloadAt, detail) };
  return { ...head, ...unpacked, ...contentOf('payload', plain, detail) };
}

function describeInner(bytes: Buffer, at: number, detail: Detail): Description {
  const decoded = decodeFrame(bytes, CHANNEL_FRAME_BYTES_MAX);
  if (decoded.status !== 'ok')
    return {
      problem: `no whole channel frame at byte ${at}: ${statusText(decoded)}`,
      ...rawOf('payload', bytes, detail),
    };
  const described = describeChannel(bytes.subarray(0, decoded.consumed), at, detail);
  const rest = bytes.length - decoded.consumed;
  return rest === 0 ? described : { ...described, problem: `${rest} bytes stand behind the channel frame` };
}

function topicsOf(packetType: number, payload: Buffer, at: number, detail: Detail): Description {
  if (packetType === TopicPacketType.sendTopicSeq) {
    const topicSeq = parseTopicSeq(payload);
    return topicSeq === undefined
      ? {
          problem: `no topic sequence at byte ${at}: up to 10 decimal digits are wanted`,
          ...rawOf('payload', payload, detail),
        }
      : { topicSeq };
  }
  if (packetType !== TopicPacketType.sendTopics) return contentOf('payload', payload, detail);
  const parsed = parseTopics(payload);
  if (!parsed.ok)
    return { problem: `no topic list at byte ${at} (${parsed.problem})`, ...rawOf('payload', payload, detail) };
  const { topicSeq, topics, refused } = parsed;
  return {
    topicSeq,
    topicCount: topics.length,
    topics: topics.slice(0, TOPICS_SHOWN_MAX),
    ...(refused === 0 ? {} : { problem: `${refused} elements of the list at byte ${at} are no topics` }),
  };
}

type NotOk =
  | { readonly status: 'incomplete'; readonly needed: number }
  | { readonly status: 'too-short' | 'too-long'; readonly length: number };

function statusText(bounds: NotOk): string {
  return bounds.status === 'incomplete'
    ? `it needs ${bounds.needed} bytes`
    : `its length field says ${bounds.length}, which is ${bounds.status === 'too-short' ? 'less than a header' : 'too much'}`;
}

function named(value: string, name: string | undefined): string {
  return name === undefined ? value : `${value} (${name})`;
}

function nameIn(names: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.keys(names).find((name) => names[name] === value);
}

function cutText(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax)} …` : text;
}
