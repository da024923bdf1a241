import { describe, expect, it } from 'vitest';
import { type Description, describeCutFrame, describeFrame } from '../../../src/cli/frame-describe.js';
import { bytesOfHex, bytesOfStdin } from '../../../src/cli/frame-input.js';
import { detectFormat, type FrameFormat, type Part, splitFrames } from '../../../src/cli/frame-split.js';
import { encodeAmopBody } from '../../../src/wire/channel/amop-body.js';
import { encodeFrame } from '../../../src/wire/channel/frame.js';
import { MessageType } from '../../../src/wire/channel/message-type.js';
import { encodeP2PFrame } from '../../../src/wire/p2p/frame.js';
import { bytesOf, channelCaptures, p2pCaptures, rc1Captures } from '../../conformance/codec/captures.js';
import nodeVectors from '../../conformance/codec/node-vectors.json' with { type: 'json' };
import { amop } from './run-amop.js';

const SEQ = Buffer.from('0123456789abcdef0123456789abcdef');
const SHOW = { bytesMax: 512 };
const all = (description: Description): string => JSON.stringify(description);
const split = (bytes: Buffer, format: FrameFormat): Part[] => [...splitFrames(bytes, format)];
const unicast = (topic: string, payload: string | Buffer) =>
  encodeFrame(MessageType.unicast, SEQ, 0, encodeAmopBody(topic, Buffer.from(payload as string)));

describe('captured frames', () => {
  it.each([
    ['channel', channelCaptures],
    ['rc2', p2pCaptures],
    ['rc1', rc1Captures],
  ] as const)('of format %s are recognised one by one', (format, captures) => {
    expect(captures.length).toBeGreaterThan(5);
    const wrong = captures.filter((one) => detectFormat(bytesOf(one)) !== format);
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });

  it('of the channel port show type, seq and result as they were captured', () => {
    for (const capture of channelCaptures) {
      const shown = describeFrame('channel', bytesOf(capture), 0, SHOW);
      expect(shown.length).toBe(capture.length);
      expect(shown.type).toMatch(new RegExp(`^0x${Number(capture.type).toString(16)}( |$)`));
      expect(shown.result).toMatch(new RegExp(`^${capture.result}( |$)`));
    }
  });

  it.each([
    ['rc2', p2pCaptures],
    ['rc1', rc1Captures],
  ] as const)('of the P2P port in %s show the header as it was captured, and no problem', (format, captures) => {
    for (const capture of captures) {
      const shown = describeFrame(format, bytesOf(capture), 0, SHOW);
      expect(shown.protocolId).toMatch(new RegExp(`^${capture.protocolID} \\(`));
      expect(shown.packetType).toMatch(new RegExp(`^${capture.packetType}( |$)`));
      expect(shown.seq).toBe(capture.seq);
      expect({ file: capture.file, shown: all(shown).includes('"problem"') }).toEqual({
        file: capture.file,
        shown: false,
      });
    }
  });

  it.each([
    ['a sequence of raw bytes', encodeFrame(MessageType.unicast, Buffer.alloc(32), 0, Buffer.alloc(0)), 'channel'],
    [
      'a type that is an RC1 protocol ID too',
      encodeFrame(MessageType.blockNotify, Buffer.alloc(32, 1), 0, Buffer.alloc(0)),
      'channel',
    ],
    [
      'a response of a group in RC1',
      encodeP2PFrame('rc1', { version: 0, protocolId: -0x108, packetType: 0, seq: 1 }, Buffer.alloc(40)),
      'rc1',
    ],
  ] as const)('are not the only ones: %s', (_name, bytes, format) => {
    expect(detectFormat(bytes)).toBe(format);
  });

  it('in one stream come apart at the right places', () => {
    const frames = channelCaptures.map(bytesOf);
    const parts = split(Buffer.concat(frames), 'channel');
    expect(parts.every(({ ok }) => ok)).toBe(true);
    expect(parts.map(({ bytes }) => bytes.length)).toEqual(frames.map(({ length }) => length));
    expect(parts.at(-1)?.offset).toBe(frames.slice(0, -1).reduce((sum, { length }) => sum + length, 0));
  });
});

describe('a P2P frame of AMOP', () => {
  const inner = unicast('topicA', 'hello');

  it.each(['rc1', 'rc2'] as const)('shows the channel frame inside (%s)', (format) => {
    const frame = encodeP2PFrame(format, { version: 0, protocolId: -1, packetType: 0, seq: 7 }, inner);
    expect(describeFrame(format, frame, 0, SHOW)).toMatchObject({
      protocolId: '-1 (AMOP, response)',
      frame: { type: '0x30 (unicast)', topic: '"topicA"', payload: '"hello"' },
    });
  });

  it('is shown decompressed', () => {
    const frame = bytesOfHex(nodeVectors.P09.hex);
    expect(describeFrame('rc2', frame, 0, SHOW)).toMatchObject({
      version: '0x8000 (compressed)',
      decompressed: '101 bytes to 1049',
      frame: { topic: '"topicA"', payloadBytes: 1000 },
    });
  });

  it('says where a Snappy block is broken', () => {
    const frame = Buffer.from(bytesOfHex(nodeVectors.P09.hex));
    frame[18] = 0xff;
    const shown = describeFrame('rc2', frame, 100, SHOW);
    expect(shown.problem).toMatch(/^the Snappy block at byte 116 cannot be decompressed/);
    expect(shown.payloadHex).toBeDefined();
  });

  it('says where the frame inside is cut off, or followed by something', () => {
    const header = { version: 0, protocolId: 1, packetType: 0, seq: 7 };
    const cut = describeFrame('rc2', encodeP2PFrame('rc2', header, inner.subarray(0, 50)), 0, SHOW);
    expect(cut.frame).toMatchObject({ problem: 'no whole channel frame at byte 16: it needs 54 bytes' });
    const more = describeFrame('rc2', encodeP2PFrame('rc2', header, Buffer.concat([inner, Buffer.alloc(3)])), 0, SHOW);
    expect(more.frame).toMatchObject({ topic: '"topicA"', problem: '3 bytes stand behind the channel frame' });
  });
});

describe('a topic frame', () => {
  const frame = (packetType: number, payload: string) =>
    describeFrame(
      'rc2',
      encodeP2PFrame('rc2', { version: 0, protocolId: -2, packetType, seq: 2 }, Buffer.from(payload)),
      0,
      SHOW,
    );

  it('shows the sequence and the topics', () => {
    expect(frame(3, '5\ttopicA\ttopicB')).toMatchObject({
      packetType: '3 (sendTopics)',
      topicSeq: 5,
      topics: ['topicA', 'topicB'],
    });
    expect(frame(1, '5')).toMatchObject({ packetType: '1 (sendTopicSeq)', topicSeq: 5 });
  });

  it('says what is wrong with it', () => {
    expect(frame(1, 'abc').problem).toBe('no topic sequence at byte 16: up to 10 decimal digits are wanted');
    expect(frame(3, 'x\ta').problem).toBe('no topic list at byte 16 (no-topic-seq)');
    expect(frame(3, '5\ta\x01').problem).toContain('1 elements of the list at byte 16 are no topics');
  });
});

describe('a body', () => {
  it('of JSON is shown as JSON, of text as text, of bytes as hex', () => {
    const rpc = encodeFrame(MessageType.rpc, SEQ, 0, Buffer.from('{"method": "getPeers"}'));
    expect(describeFrame('channel', rpc, 0, SHOW)).toMatchObject({ bodyJson: '{"method":"getPeers"}', bodyBytes: 22 });
    expect(describeFrame('channel', unicast('t', '{"a":'), 0, SHOW)).toMatchObject({
      payload: JSON.stringify('{"a":'),
      payloadNote: 'begins like JSON, but is not-json',
    });
    expect(describeFrame('channel', unicast('t', '中文\n'), 0, SHOW).payload).toBe('"中文\\n"');
    expect(describeFrame('channel', unicast('t', Buffer.of(0, 255)), 0, SHOW).payloadHex).toBe('00ff');
    expect(describeFrame('channel', unicast('t', Buffer.of(0x1b, 0x5b)), 0, SHOW).payloadHex).toBe('1b5b');
    expect(describeFrame('channel', unicast('t', ''), 0, SHOW).payload).toBe('empty');
  });

  it('that is long is cut at a whole character, and shown whole when asked', () => {
    const text = '中'.repeat(400);
    const cut = describeFrame('channel', unicast('t', text), 0, { bytesMax: 100 }).payload as string;
    expect(cut).toBe(`"${'中'.repeat(33)}" …`);
    expect(describeFrame('channel', unicast('t', text), 0, { bytesMax: Number.POSITIVE_INFINITY }).payload).toBe(
      `"${text}"`,
    );
  });

  it.each([
    [Buffer.of(0), 'byte 142, the length of the topic, is 0: it counts itself, so 1 is the empty topic'],
    [Buffer.of(0xff, 0x41), 'byte 142 says that the topic ends at byte 397, but the body ends at 144'],
    [encodeAmopBody('a\tb', Buffer.alloc(0)), 'the topic at byte 143 has a control character, which no topic may have'],
  ])('with a malformed topic says so with its place (%#)', (body, problem) => {
    expect(describeFrame('channel', encodeFrame(MessageType.multicast, SEQ, 0, body), 100, SHOW).problem).toBe(problem);
  });

  it('names what a topic of a private exchange is for', () => {
    const kind = (topic: string) => describeFrame('channel', unicast(topic, 'x'), 0, SHOW).topicKind;
    expect(kind('#!$TopicNeedVerify_orders')).toBe('messages of the private topic "orders"');
    expect(kind(`#!$VerifyChannel_#!$TopicNeedVerify_orders_${'0'.repeat(32)}`)).toBe(
      'challenges of the private topic "orders"',
    );
    expect(kind('#!$PushChannel_#!$TopicNeedVerify_orders')).toBe('sender of the private topic "orders"');
    expect(kind('orders')).toBeUndefined();
  });

  it('of an answer comes with the name of its code', () => {
    const result = (code: number) =>
      describeFrame('channel', encodeFrame(MessageType.response, SEQ, code, Buffer.alloc(0)), 0, SHOW);
    expect(result(102)).toMatchObject({ result: '102 (AMOP-102, no answer in time)', body: 'empty' });
    expect(result(7).result).toBe('7');
  });
});

describe('input that is cut off or malformed', () => {
  const whole = unicast('topicA', 'hello');

  it.each([
    [whole.subarray(0, 20), 'channel', 'cut off: 20 bytes are here, and the header alone has 42'],
    [whole.subarray(0, 50), 'channel', 'cut off: its length field says 54 bytes, 50 are here, 4 missing'],
    [bytesOfHex('00000029'), 'channel', 'its length field says 41, less than its header of 42 bytes'],
    [bytesOfHex('06400001'), 'channel', 'its length field says 104857601, more than the maximum of 104857584 bytes'],
    [bytesOfHex('0000000f'), 'rc2', 'its length field says 15, less than its header of 16 bytes'],
    [bytesOfHex('0000000b'), 'rc1', 'its length field says 11, less than its header of 12 bytes'],
  ] as const)('is told with the place (%#)', (rest, format, problem) => {
    const parts = split(Buffer.concat([format === 'channel' ? whole : Buffer.alloc(0), rest]), format);
    const last = parts.at(-1)!;
    expect(last.offset).toBe(format === 'channel' ? 54 : 0);
    expect(last.ok ? '' : last.problem).toContain(problem);
  });

  it('still shows the header if that is whole', () => {
    expect(describeCutFrame('channel', whole.subarray(0, 50))).toMatchObject({ length: 54, type: '0x30 (unicast)' });
    expect(describeCutFrame('channel', whole.subarray(0, 41))).toEqual({});
    expect(describeCutFrame('rc2', bytesOfHex('00000046 0000 00000001 0000 00000007'))).toMatchObject({
      length: 70,
      protocolId: '1 (AMOP, request)',
    });
  });

  it('is described without an exception whatever its bytes are', () => {
    let state = 1;
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 24;
    };
    for (let round = 0; round < 3_000; round++) {
      const bytes = Buffer.from(Array.from({ length: random() % 120 }, random));
      // Half of them declare the length that they have.
      if (round % 2 === 0 && bytes.length >= 4) bytes.writeUInt32BE(bytes.length, 0);
      for (const format of ['channel', 'rc1', 'rc2'] as const) {
        for (const part of split(bytes, format)) {
          if (part.ok) describeFrame(format, part.bytes, part.offset, SHOW);
          else describeCutFrame(format, part.bytes);
        }
      }
    }
  });
});

describe('hex', () => {
  it.each(['01020a', '01 02 0A', '0x01,0x02,0x0a', '01:02:0a\n', '0x01020A'])('%j is three bytes', (text) => {
    expect(bytesOfHex(text)).toEqual(Buffer.of(1, 2, 10));
  });

  it.each([
    ['01 0g', 'character 5 of the input, "g", is no hex digit'],
    ['010', '3 hex digits are half a byte too many or too few'],
    ['', 'no bytes were given'],
    ['0x', 'no bytes were given'],
  ])('%j is refused with the place', (text, message) => {
    expect(() => bytesOfHex(text)).toThrow(message);
  });

  it('is told from raw bytes on standard input', () => {
    expect(bytesOfStdin(Buffer.from('0102\n'))).toEqual(Buffer.of(1, 2));
    expect(bytesOfStdin(Buffer.of(0, 0x30))).toEqual(Buffer.of(0, 0x30));
    expect(() => bytesOfStdin(Buffer.from('hello'))).toThrow('"h", is no hex digit');
  });
});

describe('amop frame decode', () => {
  const hex = unicast('topicA', 'hello').toString('hex');

  it('prints every field of every frame and ends with 0', async () => {
    const { code, stdout, stderr } = await amop(['frame', 'decode', hex, hex]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      [0, 54]
        .map(
          (at, index) => `frame ${index + 1} at byte ${at}: channel port (recognised)
  length        54
  type          0x30 (unicast)
  seq           0123456789abcdef0123456789abcdef
  result        0 (success)
  topic         "topicA"
  payload bytes 5
  payload       "hello"
`,
        )
        .join(''),
    );
  });

  it('reads raw bytes from standard input and prints one JSON object for each frame', async () => {
    const frame = encodeP2PFrame('rc2', { version: 0, protocolId: 1, packetType: 1, seq: 8 }, Buffer.from(hex, 'hex'));
    const { code, stdout } = await amop(['frame', 'decode', '-', '--json'], frame.toString('hex'));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ offset: 0, format: 'rc2', seq: 8, frame: { payload: '"hello"' } });
  });

  it('explains a cut frame behind a whole one and ends with 1', async () => {
    const { code, stdout } = await amop(['frame', 'decode', `${hex}${hex.slice(0, 60)}`]);
    expect(code).toBe(1);
    expect(stdout).toContain('frame 2 at byte 54: channel port (recognised)');
    expect(stdout).toContain('cut off: 30 bytes are here, and the header alone has 42');
  });

  it('takes the port and the header format that it is told', async () => {
    const rc1 = '0000000d000200010000000035';
    expect((await amop(['frame', 'decode', rc1])).stdout).toContain('P2P port, RC1 header (recognised)');
    const told = await amop(['frame', 'decode', '--port', 'p2p', '--format', 'rc1', rc1]);
    expect(told.stdout).toContain('frame 1 at byte 0: P2P port, RC1 header\n');
    expect((await amop(['frame', 'decode', '--port', 'channel', rc1])).stdout).toContain('less than its header of 42');
    expect((await amop(['frame', 'decode', '--port', 'p2p', '--format', 'rc2', rc1])).code).toBe(1);
  });

  it('says when the bytes look like no frame, or are no bytes', async () => {
    const neither = await amop(['frame', 'decode', '0000000600ff']);
    expect(neither).toMatchObject({ code: 1, stdout: '' });
    expect(neither.stderr).toContain('looks like no frame of either port');
    expect(await amop(['frame', 'decode', 'xyz'])).toMatchObject({
      code: 2,
      stderr: 'amop: character 1 of the input, "x", is no hex digit\n',
    });
  });
});
