import { describe, expect, it } from 'vitest';
import {
  formatCertificationRequest,
  formatCertificationResult,
  parseCertificationRequest,
  parseCertificationResult,
} from '../../../../src/wire/channel/certification.js';
import { decodeReasonBody, encodeReasonBody } from '../../../../src/wire/channel/reason-body.js';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8');
const NODE_ID = 'ab'.repeat(64);
const N = '#!$TopicNeedVerify_t';
const V = `#!$VerifyChannel_${N}_${'0f'.repeat(16)}`;

describe('certification request (0x37)', () => {
  const good = { nodeId: NODE_ID, topic: N, topicForCert: V };

  it('is sorted, ends with LF and is read back', () => {
    const body = formatCertificationRequest({ nodeId: NODE_ID, messageTopic: N, challengeTopic: V });
    expect(body.toString()).toBe(`{"nodeId":"${NODE_ID}","topic":"${N}","topicForCert":"${V}"}\n`);
    expect(parseCertificationRequest(body)).toEqual({
      ok: true,
      nodeId: NODE_ID,
      messageTopic: N,
      challengeTopic: V,
    });
  });

  it.each([
    ['no JSON', Buffer.from('x')],
    ['no object', json([good])],
    ['a short node ID', json({ ...good, nodeId: NODE_ID.slice(1) })],
    ['a node ID that is not hex', json({ ...good, nodeId: 'g'.repeat(128) })],
    ['a public topic', json({ ...good, topic: 't' })],
    ['a challenge topic in place of the topic', json({ ...good, topic: V })],
    ['the challenge topic of another topic', json({ ...good, topic: `${N}x` })],
    ['a topic with a control character', json({ ...good, topic: `${N}\n` })],
    ['a topic over 254 bytes', json({ ...good, topic: N + 'x'.repeat(254) })],
    ['no challenge topic', json({ ...good, topicForCert: undefined })],
  ])('refuses %s', (_what, body) => expect(parseCertificationRequest(body).ok).toBe(false));
});

describe('certification result (0x38)', () => {
  const good = { checkResult: 1, nodeId: NODE_ID, topic: N };

  it('is written as the SDKs do and read back', () => {
    const body = formatCertificationResult({ checkResult: 0, nodeId: NODE_ID, messageTopic: N });
    expect(body.toString()).toBe(`{"checkResult":0,"nodeId":"${NODE_ID}","topic":"${N}"}`);
    expect(parseCertificationResult(body)).toEqual({ ok: true, checkResult: 0, nodeId: NODE_ID, messageTopic: N });
  });

  it('takes node IDs as the reference does and gives them one form', () => {
    const body = json({ ...good, nodeId: `0x${NODE_ID.toUpperCase()}` });
    expect(parseCertificationResult(body)).toEqual({ ok: true, checkResult: 1, nodeId: NODE_ID, messageTopic: N });
  });

  it.each([undefined, null, '0', 0.5, 2 ** 31, true])('refuses checkResult %s', (checkResult) => {
    expect(parseCertificationResult(json({ ...good, checkResult })).ok).toBe(false);
  });

  it.each([undefined, null, 7])('refuses nodeId and topic %s', (value) => {
    expect(parseCertificationResult(json({ ...good, nodeId: value })).ok).toBe(false);
    expect(parseCertificationResult(json({ ...good, topic: value })).ok).toBe(false);
  });
});

describe('reason body', () => {
  it('is the topic prefix and one member', () => {
    const body = encodeReasonBody(Buffer.from('topicA'), 'no-subscriber');
    expect(body.toString('latin1')).toBe('\u0007topicA{"reason":"no-subscriber"}\n');
    expect(decodeReasonBody(body)).toBe('no-subscriber');
  });

  it.each([
    '',
    '\u0000',
    '\u0005ab',
    '\u0002a',
    '\u0002a{}',
    '\u0002a{"reason":5}',
    '\u0002a["reason"]',
    '\u0002anull',
  ])('has no reason when it is %j', (body) => expect(decodeReasonBody(Buffer.from(body, 'latin1'))).toBeUndefined());
});
