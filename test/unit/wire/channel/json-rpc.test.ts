import { describe, expect, it } from 'vitest';
import { eventFilterRefusal } from '../../../../src/wire/channel/event-filter.js';
import { formatRpcError, formatRpcResult, parseRpcRequest } from '../../../../src/wire/channel/json-rpc.js';

const parse = (body: string) => parseRpcRequest(Buffer.from(body, 'utf8'));

/** The error member of the reply to a refused request, with its id. */
function refusal(body: string): { id: unknown; code: number; message: string } {
  const parsed = parse(body);
  if (parsed.ok) throw new Error('taken');
  const text = parsed.reply.toString();
  expect(text.endsWith('}\n')).toBe(true);
  const { id, error, jsonrpc, result } = JSON.parse(text);
  expect([jsonrpc, result]).toEqual(['2.0', undefined]);
  return { id, ...error };
}

describe('JSON-RPC request', () => {
  it('takes what the SDKs send', () => {
    expect(parse('{"jsonrpc":"2.0","method":"getPeers","params":[1],"id":7}')).toEqual({
      ok: true,
      id: 7,
      method: 'getPeers',
      params: [1],
    });
    // The Go SDK writes no params when it has none.
    expect(parse('{"jsonrpc":"2.0","id":1,"method":"getClientVersion"}')).toMatchObject({ ok: true, params: [] });
    expect(parse('{"method":"m","params":null,"id":"x"}')).toEqual({ ok: true, id: 'x', method: 'm', params: [] });
    expect(parse('{"method":"m"}')).toMatchObject({ ok: true, id: null });
  });

  it('answers unreadable text with the bytes of the node', () => {
    const expected =
      '{"error":{"code":-32700,"message":"JSON_PARSE_ERROR: The JSON-Object is not JSON-Valid"},"id":null,"jsonrpc":"2.0"}\n';
    for (const body of ['', '{nope', '{"a":1', '\u0000']) {
      const parsed = parse(body);
      expect(parsed.ok ? 'taken' : parsed.reply.toString()).toBe(expected);
    }
    const invalid = parseRpcRequest(Buffer.from([0x22, 0xff, 0x22]));
    expect(invalid.ok ? 'taken' : invalid.reply.toString()).toBe(expected);
  });

  it('keeps the id in the answer where it is legal', () => {
    expect(refusal('{"id":5}')).toMatchObject({ id: 5, code: -32600 });
    expect(refusal('{"id":"a","method":7}')).toMatchObject({ id: 'a', code: -32600 });
    expect(refusal('{"id":{},"method":"m"}')).toMatchObject({ id: null, code: -32600 });
    expect(refusal('{"id":9007199254740993,"method":"m"}')).toMatchObject({ id: null, code: -32600 });
    expect(refusal(`{"id":"${'x'.repeat(129)}","method":"m"}`)).toMatchObject({ id: null });
  });

  it.each(['[]', '[{"method":"m","id":1}]', '1', '"x"', 'null', '{"method":""}', `{"method":"${'m'.repeat(129)}"}`])(
    'refuses %s',
    (body) => expect(refusal(body).code).toBe(-32600),
  );

  it('refuses deep, wide and large text before parsing it', () => {
    const request = (params: string) => `{"id":1,"method":"m","params":${params}}`;
    expect(parse(request(`${'['.repeat(31)}${']'.repeat(31)}`)).ok).toBe(true);
    expect(refusal(request(`${'['.repeat(32)}${']'.repeat(32)}`)).message).toContain('too-deep');
    expect(refusal('['.repeat(2 * 1024 * 1024)).message).toContain('too-deep');
    expect(refusal(request(`[${'{},'.repeat(20_000)}{}]`)).message).toContain('too-many-values');
    expect(refusal(request(`"${'x'.repeat(2 * 1024 * 1024)}"`)).message).toContain('too-large');
    // Inside strings nothing counts, whatever escapes stand in them.
    expect(parse(request(`"\\"${'[,'.repeat(20_000)}"`)).ok).toBe(true);
    expect(refusal(request(`["\\\\",${'[['.repeat(20)}"]`)).message).toContain('too-deep');
  });
});

describe('JSON-RPC answer', () => {
  it('sorts the members of every level, ends with LF and has no error member', () => {
    const result = { b: [{ z: 1, a: null }], a: { d: 'ü', c: undefined }, B: true };
    expect(formatRpcResult(1, result).toString()).toBe(
      '{"id":1,"jsonrpc":"2.0","result":{"B":true,"a":{"d":"ü"},"b":[{"a":null,"z":1}]}}\n',
    );
  });

  it('carries code and message of an error', () => {
    expect(formatRpcError('x', -32601, 'no "ledger"').toString()).toBe(
      '{"error":{"code":-32601,"message":"no \\"ledger\\""},"id":"x","jsonrpc":"2.0"}\n',
    );
  });

  it('refuses a value without end', () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    expect(() => formatRpcResult(1, loop as never)).toThrow('deeper than 64');
  });
});

it('an event filter is refused with the code for a group that does not exist', () => {
  expect(eventFilterRefusal().toString('latin1')).toBe('\u0001{"result":-41002}\n');
});
