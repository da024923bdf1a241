import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { challengeShape } from '../../../../src/wire/channel/challenge.js';

const HEX = '0123456789abcdef0123456789abcdef';
const RANDOM = '5e14c53197adbcb719d915fb93342c25';
const N = '#!$TopicNeedVerify_PrivateTopic';
const V = `#!$VerifyChannel_${N}_${HEX}`;

const shapeOf = (payload: Uint8Array, challengeTopic = V, messageTopic = N) =>
  challengeShape(payload, challengeTopic, messageTopic);

function web3Block(json: string | Buffer, topic = V, bytes?: number): Buffer {
  const name = Buffer.from(topic);
  const text = Buffer.from(json);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes ?? text.length);
  return Buffer.concat([Buffer.of(1 + name.length), name, size, text]);
}

const good = { randValue: RANDOM, topic: N };

describe('the challenge of the Java SDK', () => {
  it('is 32 lower-case hex digits', () => {
    expect(shapeOf(Buffer.from(RANDOM))).toBe('java');
    expect(shapeOf(Buffer.from('0'.repeat(32)))).toBe('java');
  });

  it.each([
    ['upper-case digits', Buffer.from(RANDOM.toUpperCase())],
    ['31 digits', Buffer.from(RANDOM.slice(1))],
    ['33 digits', Buffer.from(`${RANDOM}0`)],
    ['64 digits', Buffer.from(RANDOM + RANDOM)],
    ['a letter that is no digit', Buffer.from(`${RANDOM.slice(1)}g`)],
    ['a line end', Buffer.from(`${RANDOM.slice(1)}\n`)],
    ['32 raw bytes', Buffer.alloc(32, 0xab)],
    ['digits with the eighth bit', Buffer.from(RANDOM).map((byte) => byte | 0x80)],
  ])('is not %s', (_what, payload) => expect(shapeOf(payload)).toBeUndefined());
});

describe('the challenge of the Go SDK', () => {
  it('is up to 17 raw bytes', () => {
    for (let length = 0; length <= 17; length++) expect(shapeOf(Buffer.alloc(length, 0xab))).toBe('go');
    // A vector of the SDK's specification, §8.
    expect(shapeOf(Buffer.from('02b1946f2e1f4cf3a0c9d1e2f3a4b5c6d7', 'hex'))).toBe('go');
    expect(shapeOf(Buffer.alloc(18, 0xab))).toBeUndefined();
  });

  it('is none that a chain could take for a transaction', () => {
    // Creates an empty contract: nonce 1, gas 1, block limit 5, no receiver, chain and group 1.
    const create = rlpList([1, 1, 1, 5, '', '', '', 1, 1, '']);
    expect(create).toHaveLength(11);
    expect(shapeOf(create)).toBeUndefined();
    expect(shapeOf(Buffer.concat([Buffer.of(2), rlpList([1, 0, 1, 1, 9, '', '', '', []])]))).toBeUndefined();
    // Without the members of one it is a number like any other.
    expect(shapeOf(rlpList([1, 2, 3, 4, 5]))).toBe('go');
    expect(shapeOf(create.subarray(0, 10))).toBe('go');
    expect(shapeOf(Buffer.concat([create, Buffer.of(0)]))).toBe('go');
  });

  it('is any other bytes, whatever they begin with', () => {
    const short = fc.uint8Array({ maxLength: 17 });
    const listLike = fc
      .array(fc.oneof(fc.nat(0x85), fc.constantFrom(0x80, 0xc0, 0xc1)), { maxLength: 16 })
      .chain((tail) =>
        fc.constantFrom([], [1]).map((type) => Uint8Array.from([...type, 0xc0 + tail.length, ...tail]).subarray(0, 17)),
      );
    fc.assert(
      fc.property(fc.oneof(short, listLike), (payload) => {
        const lists = [payload, payload.subarray(1)].map((bytes) => readRlp(bytes));
        const isTransaction = lists.some((item) => item?.end === item?.bytes && (item?.members ?? 0) >= 6);
        expect(shapeOf(payload)).toBe(isTransaction ? undefined : 'go');
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('the challenge of web3sdk', () => {
  it('is the inner block of the specification, §8', () => {
    const vector = Buffer.from(
      '522321245665726966794368616e6e656c5f232124546f7069634e6565645665726966795f50726976617465546f7069635f3031323334353637383961626364656630313233343536373839616263646566005a7b2272616e6456616c7565223a223565313463353331393761646263623731396439313566623933333432633235222c22746f706963223a22232124546f7069634e6565645665726966795f50726976617465546f706963227d',
      'hex',
    );
    expect(shapeOf(vector)).toBe('web3sdk');
    expect(vector).toEqual(web3Block(JSON.stringify(good)));
  });

  it('has its members in any order, blanks between them, digits of either case and names in UTF-8', () => {
    expect(shapeOf(web3Block(`{ "topic" : "${N}",\n"randValue":"${RANDOM.toUpperCase()}" }`))).toBe('web3sdk');
    const [name, challenge] = ['#!$TopicNeedVerify_主题', `#!$VerifyChannel_#!$TopicNeedVerify_主题_${HEX}`];
    const json = JSON.stringify({ randValue: RANDOM, topic: name });
    expect(shapeOf(web3Block(json, challenge), challenge, name)).toBe('web3sdk');
    // The longest name that has a challenge topic: its block begins like an RLP list.
    const long = `#!$TopicNeedVerify_${'x'.repeat(185)}`;
    const longest = `#!$VerifyChannel_${long}_${HEX}`;
    const block = web3Block(JSON.stringify({ randValue: RANDOM, topic: long }), longest);
    expect(block[0]).toBe(0xff);
    expect(shapeOf(block, longest, long)).toBe('web3sdk');
  });

  const V2 = `#!$VerifyChannel_${N}_${'f'.repeat(32)}`;
  const text = JSON.stringify(good);
  it.each([
    ['a block of another challenge topic', web3Block(text, V2)],
    ['a block of a longer topic', web3Block(text, `${V}0`)],
    ['a random value for another topic', web3Block(JSON.stringify({ ...good, topic: `${N}x` }))],
    ['a random value of 31 digits', web3Block(JSON.stringify({ ...good, randValue: RANDOM.slice(1) }))],
    ['a random value that is a number', web3Block(JSON.stringify({ ...good, randValue: 5 }))],
    ['a random value that is no hex', web3Block(JSON.stringify({ ...good, randValue: `${RANDOM.slice(1)}g` }))],
    ['a further member', web3Block(JSON.stringify({ ...good, more: 1 }))],
    ['a missing member', web3Block(JSON.stringify({ topic: N }))],
    ['members of a prototype', web3Block(`{"__proto__":${text},"topic":"${N}"}`)],
    ['an array', web3Block(`[${text}]`)],
    ['nested objects', web3Block(`{"randValue":{"a":1},"topic":"${N}"}`)],
    ['no JSON', web3Block('x'.repeat(90))],
    ['no text', web3Block('')],
    [
      'JSON that is not UTF-8',
      web3Block(Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xff, 0x22, 0x7d])])),
    ],
    ['more JSON than two members need', web3Block(`{${' '.repeat(1_024)}${text.slice(1)}`)],
    ['a length one too small', web3Block(text, V, text.length - 1)],
    ['a length one too large', web3Block(text, V, text.length + 1)],
    ['bytes behind it', Buffer.concat([web3Block(text), Buffer.of(0)])],
    ['the JSON alone', Buffer.from(text)],
  ])('is not %s', (_what, payload) => expect(shapeOf(payload)).toBeUndefined());

  it('is nothing less than the whole block', () => {
    const block = web3Block(text);
    for (let length = 18; length < block.length; length++) expect(shapeOf(block.subarray(0, length))).toBeUndefined();
  });
});

describe('what passes', () => {
  it('is never a transaction, of any chain and with whatever in it', () => {
    const number = fc.oneof(fc.constant(''), fc.nat(0x7f), fc.uint8Array({ maxLength: 32 }).map(withoutZeros));
    const receiver = fc.oneof(
      fc.constant(''),
      fc.uint8Array({ minLength: 20, maxLength: 20 }).map((b) => Buffer.from(b)),
    );
    const data = fc.oneof(
      fc.constant(''),
      fc.uint8Array({ maxLength: 80 }).map((b) => Buffer.from(b)),
    );
    const extra = fc.constantFrom('', 1);
    // FISCO BCOS 2.x with and without chain and group, Ethereum with and without a chain, typed ones.
    const fisco = fc.tuple(number, number, number, number, receiver, number, data, number, number, extra);
    const early = fc.tuple(number, number, number, number, receiver, number, data);
    const ethereum = fc.tuple(number, number, number, receiver, number, data);
    const withChain = fc.tuple(number, number, number, receiver, number, data, number, extra, extra);
    const typed = fc.tuple(number, number, number, number, receiver, number, data, fc.constant([] as never[]));
    const transaction = fc.oneof(
      fc.oneof(fisco, early, ethereum, withChain).map((members) => rlpList([...members])),
      fc
        .tuple(fc.constantFrom(1, 2), typed)
        .map(([type, members]) => Buffer.concat([Buffer.of(type), rlpList([...members])])),
    );
    const sizes = new Set<number>();
    fc.assert(
      fc.property(transaction, (payload) => {
        sizes.add(payload.length);
        expect(shapeOf(payload)).toBeUndefined();
      }),
      { numRuns: 10_000 },
    );
    // The sizes at which a length alone would let one through.
    for (const size of [7, 11, 17, 32]) expect(sizes, `transactions of ${size} bytes`).toContain(size);
  });

  it('is no bytes at random that are longer than a Go challenge', () => {
    const bytes = fc.uint8Array({ minLength: 18, maxLength: 400 });
    fc.assert(
      fc.property(bytes, (payload) => {
        expect(shapeOf(payload)).toBeUndefined();
      }),
      { numRuns: 3_000 },
    );
  });

  it('is a mutated block of web3sdk only where the block says nothing else', () => {
    const block = web3Block(JSON.stringify(good));
    const digits = block.indexOf(RANDOM);
    fc.assert(
      fc.property(fc.nat(block.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const mutated = Buffer.from(block);
        mutated[at] ^= change;
        const staysHex = at >= digits && at < digits + 32 && /[0-9a-fA-F]/.test(String.fromCharCode(mutated[at]));
        expect(shapeOf(mutated)).toBe(staysHex ? 'web3sdk' : undefined);
      }),
      { numRuns: 5_000 },
    );
  });
});

type RlpItem = number | string | Buffer | RlpItem[];

const withoutZeros = (bytes: Uint8Array): Buffer => {
  const first = bytes.findIndex((byte) => byte !== 0);
  return Buffer.from(first < 0 ? [] : bytes.subarray(first));
};

function rlp(item: RlpItem): Buffer {
  if (Array.isArray(item)) return rlpList(item);
  const bytes = typeof item === 'number' ? withoutZeros(Uint8Array.of(item)) : Buffer.from(item as string);
  return bytes.length === 1 && bytes[0] < 0x80 ? bytes : Buffer.concat([rlpHead(0x80, bytes.length), bytes]);
}

function rlpList(items: readonly RlpItem[]): Buffer {
  const body = Buffer.concat(items.map(rlp));
  return Buffer.concat([rlpHead(0xc0, body.length), body]);
}

function rlpHead(base: number, length: number): Buffer {
  if (length < 56) return Buffer.of(base + length);
  return length < 256 ? Buffer.of(base + 56, length) : Buffer.of(base + 57, length >> 8, length & 0xff);
}

/** An item read at the start of `bytes`, short forms only; `members` of a list, as often as they can be read. */
function readRlp(bytes: Uint8Array): { end: number; bytes: number; members: number | undefined } | undefined {
  if (bytes.length === 0) return undefined;
  const [head] = bytes;
  const size = head < 0x80 ? 0 : head < 0xc0 ? head - 0x80 : head - 0xc0;
  if (1 + size > bytes.length) return undefined;
  const end = 1 + size;
  if (head < 0xc0) return { end, bytes: bytes.length, members: undefined };
  let members = 0;
  for (let rest = bytes.subarray(1, end); rest.length > 0; members++) {
    const item = readRlp(rest);
    if (item === undefined) return { end, bytes: bytes.length, members: undefined };
    rest = rest.subarray(item.end);
  }
  return { end, bytes: bytes.length, members };
}
