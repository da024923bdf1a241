/** What somebody sends to a challenge topic who wants more than a certification. */
import { randomBytes } from 'node:crypto';

export interface Shaped {
  readonly what: string;
  readonly payload: Buffer;
}

const LIST = 0xc0;
const STRING = 0x80;
/** Longer ones have a length behind the first byte. */
const SHORT_MAX = 55;

function rlpString(bytes: Buffer): Buffer {
  return bytes.length === 1 && bytes[0] < STRING ? bytes : Buffer.concat([rlpHead(STRING, bytes.length), bytes]);
}

function rlpHead(base: number, length: number): Buffer {
  if (length <= SHORT_MAX) return Buffer.of(base + length);
  return length < 256 ? Buffer.of(base + SHORT_MAX + 1, length) : Buffer.of(base + SHORT_MAX + 2, length >> 8, length);
}

function rlpList(items: readonly Buffer[]): Buffer {
  const body = Buffer.concat(items.map(rlpString));
  return Buffer.concat([rlpHead(LIST, body.length), body]);
}

/** An unsigned transaction of a 2.x chain; the signature of a transaction is that of the Keccak-256 of these bytes. */
function transaction(randomId: Buffer, to: Buffer, data: Buffer): Buffer {
  const [one, none] = [Buffer.of(1), Buffer.alloc(0)];
  const [gasPrice, gasLimit, blockLimit] = [one, Buffer.of(0x7f), Buffer.from('01f4', 'hex')];
  return rlpList([randomId, gasPrice, gasLimit, blockLimit, to, none, data, one, one, none]);
}

/** Transactions of each of these lengths: calls of a contract where there is room for its address, else creations of one. */
export function transactions(from: number, to: number): Shaped[] {
  const found = new Map<number, Buffer>();
  for (const address of [randomBytes(20), Buffer.alloc(0)]) {
    for (const randomId of [randomBytes(32), Buffer.of(7)]) {
      for (let dataBytes = 0; dataBytes < 180; dataBytes++) {
        const payload = transaction(randomId, address, randomBytes(dataBytes));
        if (!found.has(payload.length)) found.set(payload.length, payload);
      }
    }
  }
  const all: Shaped[] = [];
  for (let bytes = from; bytes <= to; bytes++) {
    const payload = found.get(bytes);
    if (payload) all.push({ what: `a transaction of ${bytes} bytes`, payload });
  }
  return all;
}

/** Random bytes of every length that no SDK uses. */
export function randomOfLengths(...ranges: readonly (readonly [number, number])[]): Shaped[] {
  return ranges.flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, at) => ({
      what: `${from + at} random bytes`,
      payload: randomBytes(from + at),
    })),
  );
}

interface Web3Fields {
  readonly json?: string;
  readonly tail?: Buffer;
  readonly v?: string;
}

/** The block of web3sdk: topic header, length, JSON. */
export function web3Block(challengeTopic: string, topic: string, { json, tail, v }: Web3Fields = {}): Buffer {
  const name = Buffer.from(v ?? challengeTopic);
  const body = Buffer.from(json ?? JSON.stringify({ randValue: randomBytes(16).toString('hex'), topic }));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([Buffer.of(1 + name.length), name, length, body, tail ?? Buffer.alloc(0)]);
}

/** Blocks that are almost one of web3sdk, with room for bytes of the attacker's choice. */
export function almostWeb3Blocks(challengeTopic: string, topic: string): Shaped[] {
  const randValue = randomBytes(16).toString('hex');
  const block = (what: string, fields: Web3Fields) => ({
    what: `a block of web3sdk with ${what}`,
    payload: web3Block(challengeTopic, topic, fields),
  });
  return [
    block('the name of another topic', { json: JSON.stringify({ randValue, topic: `${topic}2` }) }),
    block('another challenge topic', { v: challengeTopic.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }),
    block('one more member', { json: JSON.stringify({ randValue, topic, data: 'f86b' }) }),
    block('bytes behind it', { tail: transactions(60, 60)[0].payload }),
    block('a long random value', { json: JSON.stringify({ randValue: `${randValue}${randValue}`, topic }) }),
    block('a random value that is a number', {
      json: `{"randValue":${'1'.repeat(32)},"topic":${JSON.stringify(topic)}}`,
    }),
    block('a member twice', {
      json: `{"randValue":"f86b","randValue":"${randValue}","topic":${JSON.stringify(topic)}}`,
    }),
    block('no member', { json: '{}' }),
    block('no JSON', { json: 'f86b' }),
  ];
}
