import { describe, expect, it } from 'vitest';
import {
  chooseProtocol,
  formatHandshakeReply,
  formatHandshakeRequest,
  parseHandshake,
  parseHandshakeReply,
} from '../../../../src/wire/channel/handshake.js';
import { formatHeartbeatRequest, heartbeatReply } from '../../../../src/wire/channel/heartbeat.js';

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

describe('handshake request', () => {
  it('takes 1 for versions that are missing', () => {
    expect(parseHandshake(text('{}'))).toEqual({
      ok: true,
      minimum: 1,
      maximum: 1,
      clientType: 'unknown',
      capabilities: [],
    });
  });

  it.each([
    ['', 'not-json'],
    ['1', 'not-an-object'],
    ['null', 'not-an-object'],
    ['[]', 'not-an-object'],
    ['{"minimumSupport":"1"}', 'minimumSupport is not an integer'],
    ['{"maximumSupport":1.5}', 'maximumSupport is not an integer'],
    ['{"maximumSupport":4294967296}', 'maximumSupport is not an integer'],
    ['{"maximumSupport":null}', 'maximumSupport is not an integer'],
    [`{"x":${'['.repeat(9)}${']'.repeat(9)}}`, 'too-deep'],
    [`{"clientType":"${'x'.repeat(20_000)}"}`, 'too-large'],
  ])('refuses %s', (body, problem) => expect(parseHandshake(text(body))).toEqual({ ok: false, problem }));

  it('refuses text that is not UTF-8', () => {
    const body = Buffer.concat([text('{"clientType":"'), Buffer.from([0xff]), text('"}')]);
    expect(parseHandshake(body)).toEqual({ ok: false, problem: 'not-utf8' });
  });

  it('makes the client type fit for a log line', () => {
    const clientType = (value: unknown) => {
      const parsed = parseHandshake(text(JSON.stringify({ clientType: value })));
      return parsed.ok ? parsed.clientType : parsed.problem;
    };
    expect(clientType('Go-SDK')).toBe('Go-SDK');
    expect(clientType('a\nb\u0000c\u009b\ud800')).toBe('a?b?c??');
    expect(clientType('x'.repeat(100))).toBe('x'.repeat(64));
    expect([clientType(''), clientType(5), clientType(null)]).toEqual(['unknown', 'unknown', 'unknown']);
  });

  it('reads capabilities and never fails for unusable ones', () => {
    const capabilities = (value: unknown) => {
      const parsed = parseHandshake(text(JSON.stringify({ capabilities: value })));
      return parsed.ok ? parsed.capabilities : parsed.problem;
    };
    expect(capabilities(['reason', 'joined'])).toEqual(['reason', 'joined']);
    expect(capabilities('reason')).toEqual([]);
    expect(capabilities(['reason', 1, null, 'x'.repeat(65)])).toEqual(['reason']);
    expect(capabilities(Array.from({ length: 40 }, (_, i) => `c${i}`))).toHaveLength(16);
  });

  it('ignores what only the prototype of an object has', () => {
    expect(parseHandshake(text('{"__proto__":{"maximumSupport":3}}'))).toMatchObject({ ok: true, maximum: 1 });
  });
});

describe('choice of the protocol', () => {
  it.each([
    [1, 1, 1],
    [1, 2, 2],
    [1, 3, 3],
    [3, 99, 3],
    [0, 1, 1],
    [2, 1, 1],
    [4, 5, undefined],
    [0, 0, undefined],
    [-5, -1, undefined],
  ])('%i..%i gives %s', (minimum, maximum, expected) => expect(chooseProtocol(minimum, maximum)).toBe(expected));
});

describe('handshake reply', () => {
  it('is that of the node, and carries capabilities only when given', () => {
    expect(formatHandshakeReply({ nodeVersion: '2.11.0', protocol: 3 }).toString()).toBe(
      '{"nodeVersion":"2.11.0","protocol":3}\n',
    );
    expect(formatHandshakeReply({ nodeVersion: '2.11.0', protocol: 3, capabilities: ['reason'] }).toString()).toBe(
      '{"capabilities":["reason"],"nodeVersion":"2.11.0","protocol":3}\n',
    );
  });

  it('is understood by the client side, and so is the request by the relay', () => {
    const capabilities = ['reason', 'joined'];
    const request = formatHandshakeRequest({ minimum: 1, maximum: 3, clientType: 'amop-relay', capabilities });
    expect(parseHandshake(request)).toEqual({
      ok: true,
      minimum: 1,
      maximum: 3,
      clientType: 'amop-relay',
      capabilities,
    });
    const reply = formatHandshakeReply({ nodeVersion: '2.11.0', protocol: 2, capabilities });
    expect(parseHandshakeReply(reply)).toEqual({ ok: true, protocol: 2, nodeVersion: '2.11.0', capabilities });
  });

  it.each(['', '[]', '{}', '{"protocol":"3"}', '{"protocol":0}', '{"protocol":4}', '{"protocol":2.5}'])(
    'is refused by the client side: %s',
    (body) => expect(parseHandshakeReply(text(body)).ok).toBe(false),
  );
});

describe('heartbeat', () => {
  it('of protocol 1 answers 1 to exactly 0 and nothing else', () => {
    expect(heartbeatReply(1, text('0'))?.toString()).toBe('1');
    for (const body of ['', '1', '00', '{"heartBeat":0}']) expect(heartbeatReply(1, text(body))).toBeUndefined();
  });

  it('of protocols 2 and 3 answers anything', () => {
    for (const body of ['', '0', 'x', '{"heartBeat":0}']) {
      expect(heartbeatReply(2, text(body))?.toString()).toBe('{"heartBeat":1}\n');
      expect(heartbeatReply(3, text(body))?.toString()).toBe('{"heartBeat":1}\n');
    }
  });

  it('of the client side follows the protocol', () => {
    expect([1, 2, 3].map((protocol) => formatHeartbeatRequest(protocol).toString())).toEqual([
      '0',
      '{"heartBeat":0}',
      '{"heartBeat":0}',
    ]);
  });
});
