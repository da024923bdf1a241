import { describe, expect, it } from 'vitest';
import { decodeAmopBody, encodeAmopBody } from '../../../src/wire/channel/amop-body.js';
import {
  formatCertificationRequest,
  formatCertificationResult,
  parseCertificationRequest,
  parseCertificationResult,
} from '../../../src/wire/channel/certification.js';
import { decodeFrame, readResult, readType, SEQ_OFFSET } from '../../../src/wire/channel/frame.js';
import { chooseProtocol, formatHandshakeReply, parseHandshake } from '../../../src/wire/channel/handshake.js';
import { heartbeatReply } from '../../../src/wire/channel/heartbeat.js';
import { formatRpcError, formatRpcResult, parseRpcRequest, RpcErrorCode } from '../../../src/wire/channel/json-rpc.js';
import { MessageType } from '../../../src/wire/channel/message-type.js';
import { parseTopicList } from '../../../src/wire/channel/topic-list.js';
import { bytesOf, type ChannelCapture, channelCaptures } from './captures.js';
import { channelCodec } from './codecs.js';
import { fourChecks } from './four-checks.js';

const bodyOf = (capture: ChannelCapture): Buffer => bytesOf(capture).subarray(42);

/** Requests of a type with the node's answer of the same seq. */
function exchanges(type: number): { request: ChannelCapture; reply: ChannelCapture | undefined }[] {
  const ofType = channelCaptures.filter((capture) => Number(capture.type) === type);
  return ofType
    .filter((capture) => capture.direction === 'client->node')
    .map((request) => ({
      request,
      reply: ofType.find((other) => other.direction === 'node->client' && other.seq === request.seq),
    }));
}

describe('captured channel frames', () => {
  it('are all there', () => expect(channelCaptures.length).toBe(108));

  it.each(channelCaptures)('decode whole and at every split point and re-encode: $file', (capture) => {
    const bytes = bytesOf(capture);
    const frame = fourChecks(bytes, channelCodec);
    expect(frame.type).toBe(Number(capture.type));
    expect(frame.seq.toString('latin1')).toBe(capture.seq);
    expect(frame.result).toBe(capture.result);
    expect(frame.body.length).toBe(capture.length - 42);
    // The field holds the first 200 characters.
    expect(frame.body.toString('utf8').startsWith(capture.data_utf8 ?? '')).toBe(true);

    const behind = Buffer.concat([Buffer.from([1, 2, 3]), bytes]);
    expect(readType(behind, 3)).toBe(frame.type);
    expect(readResult(behind, 3)).toBe(frame.result);
    expect(behind.subarray(3 + SEQ_OFFSET, 3 + SEQ_OFFSET + 32).equals(frame.seq)).toBe(true);
  });

  it('decode one after the other from one stream', () => {
    const stream = Buffer.concat(channelCaptures.map(bytesOf));
    let at = 0;
    for (const capture of channelCaptures) {
      const decoded = decodeFrame(stream.subarray(at));
      if (decoded.status !== 'ok') throw new Error(`${capture.file}: ${decoded.status}`);
      expect(channelCodec.encode(decoded.frame).toString('hex')).toBe(capture.hex);
      at += decoded.consumed;
    }
    expect(at).toBe(stream.length);
  });
});

describe('bodies of captured channel frames', () => {
  const withTopic = channelCaptures.filter(
    (capture) => ['0x30', '0x31', '0x35'].includes(capture.type) && capture.length > 42,
  );

  it.each(withTopic)('split into topic and payload and join again: $file', (capture) => {
    const body = bodyOf(capture);
    const decoded = decodeAmopBody(body);
    if (!decoded.ok) throw new Error(decoded.fault);
    expect(decoded.topic.toString('utf8')).toMatch(/^(topic[A-Z]|localT|nobody|主题B|#!\$.*)$/u);
    expect(encodeAmopBody(decoded.topic, decoded.payload).equals(body)).toBe(true);
    expect(encodeAmopBody(decoded.topic.toString('utf8'), decoded.payload).equals(body)).toBe(true);
  });

  it('answer each captured 0x14 with the bytes of the node, or not at all where it closed', () => {
    const all = exchanges(MessageType.handshake);
    expect(all.length).toBe(4);
    for (const { request, reply } of all) {
      const parsed = parseHandshake(bodyOf(request));
      if (!parsed.ok) throw new Error(parsed.problem);
      const protocol = chooseProtocol(parsed.minimum, parsed.maximum);
      const ours = protocol && formatHandshakeReply({ nodeVersion: '2.11.0', protocol }).toString();
      expect(ours).toBe(reply && bodyOf(reply).toString());
    }
  });

  it('answer each captured heartbeat with the bytes of the node', () => {
    const all = exchanges(MessageType.heartbeat);
    expect(all.length).toBe(3);
    for (const { request, reply } of all) {
      const protocol = request.scenario.includes('v2/v3') ? 3 : 1;
      expect(heartbeatReply(protocol, bodyOf(request))?.toString()).toBe(reply && bodyOf(reply).toString());
    }
  });

  it('answer each captured JSON-RPC request with the bytes of the node', () => {
    const all = exchanges(MessageType.rpc);
    expect(all.length).toBe(8);
    for (const { request, reply } of all) {
      if (reply === undefined) throw new Error(`${request.file} has no answer`);
      const expected = bodyOf(reply).toString();
      const parsed = parseRpcRequest(bodyOf(request));
      if (!parsed.ok) {
        expect(request.file).toContain('parse-error');
        expect(parsed.reply.toString()).toBe(expected);
        continue;
      }
      const node = JSON.parse(expected);
      const ours =
        node.error === undefined
          ? formatRpcResult(parsed.id, reversed(node.result))
          : formatRpcError(parsed.id, RpcErrorCode.methodNotFound, node.error.message);
      expect(ours.toString()).toBe(expected);
    }
  });

  it('read every captured topic list', () => {
    const lists = channelCaptures.filter((capture) => Number(capture.type) === MessageType.subscribe);
    expect(lists.length).toBe(7);
    for (const capture of lists) {
      const parsed = parseTopicList(bodyOf(capture));
      expect(parsed).toEqual({ ok: true, topics: JSON.parse(bodyOf(capture).toString()), refused: [] });
    }
  });

  it('read and write the captured 0x37 and 0x38', () => {
    let count = 0;
    for (const capture of channelCaptures) {
      const body = bodyOf(capture);
      if (Number(capture.type) === MessageType.requestCertification && body.length > 0) {
        const parsed = parseCertificationRequest(body);
        if (!parsed.ok) throw new Error(parsed.problem);
        expect(formatCertificationRequest(parsed).equals(body)).toBe(true);
        count++;
      } else if (Number(capture.type) === MessageType.certificationResult) {
        const parsed = parseCertificationResult(body);
        if (!parsed.ok) throw new Error(parsed.problem);
        expect(formatCertificationResult(parsed).equals(body)).toBe(true);
        count++;
      }
    }
    expect(count).toBe(4);
  });
});

/** The same value with the members in another order: the writer has to sort them. */
function reversed(value: unknown): never {
  if (Array.isArray(value)) return value.map(reversed) as never;
  if (typeof value !== 'object' || value === null) return value as never;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, element]) => [name, reversed(element)]),
  ) as never;
}
