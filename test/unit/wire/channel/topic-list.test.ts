import { describe, expect, it } from 'vitest';
import { formatTopicList, parseTopicList } from '../../../../src/wire/channel/topic-list.js';

const parse = (body: string) => parseTopicList(Buffer.from(body, 'utf8'));
const accepted = (topics: string[]) => ({ ok: true, topics, refused: [] });

describe('topic list', () => {
  it('keeps the order and drops duplicates', () => {
    expect(parse('["b","a","b","a","c"]')).toEqual(accepted(['b', 'a', 'c']));
  });

  it('is empty for [] and for null', () => {
    expect(parse('[]')).toEqual(accepted([]));
    expect(parse(' null\n')).toEqual(accepted([]));
  });

  it('makes text of numbers, booleans and null', () => {
    expect(parse('[5,true,false,null,-3,"x"]')).toEqual(accepted(['5', 'true', 'false', '', '-3', 'x']));
  });

  it('takes escapes for what they stand for', () => {
    expect(parse('["\\u4e3b\\u9898B","a,\\"]b"]')).toEqual(accepted(['主题B', 'a,"]b']));
  });

  it.each([
    ['', 'not-json'],
    ['[', 'not-json'],
    ['["a"', 'not-json'],
    ['["a"] x', 'not-json'],
    ['"a"', 'not-an-array-of-scalars'],
    ['5', 'not-an-array-of-scalars'],
    ['true', 'not-an-array-of-scalars'],
    ['{}', 'not-an-array-of-scalars'],
    ['{"a":"b"}', 'not-an-array-of-scalars'],
    ['["a",["b"]]', 'not-an-array-of-scalars'],
    ['["a",{}]', 'not-an-array-of-scalars'],
  ])('refuses %s', (body, problem) => expect(parse(body)).toEqual({ ok: false, problem }));

  it('leaves out single bad topics and takes the others', () => {
    const long = 'x'.repeat(255);
    expect(parse(JSON.stringify(['a', 'b\tc', long, 'ü'.repeat(127), '\u007f', 'd']))).toEqual({
      ok: true,
      topics: ['a', 'ü'.repeat(127), 'd'],
      refused: [
        { topic: 'b\tc', problem: 'control-character' },
        { topic: 'x'.repeat(64), problem: 'too-long' },
        { topic: '\u007f', problem: 'control-character' },
      ],
    });
  });

  it('leaves out what has no exact text', () => {
    expect(parse('["a","\\ud800",0.1,12345678901234567890,1e999]')).toEqual({
      ok: true,
      topics: ['a'],
      refused: [
        { topic: '\ud800', problem: 'not-unicode' },
        { topic: '0.1', problem: 'inexact-number' },
        { topic: '12345678901234567000', problem: 'inexact-number' },
        { topic: 'Infinity', problem: 'inexact-number' },
      ],
    });
  });

  it('refuses text that is not UTF-8 whole', () => {
    expect(parseTopicList(Buffer.from('5b22ff225d', 'hex'))).toEqual({ ok: false, problem: 'not-utf8' });
  });

  it('takes 4096 topics and refuses 4097', () => {
    const names = Array.from({ length: 4097 }, (_, i) => `t,[{${i}`);
    const most = parse(JSON.stringify(names.slice(1)));
    expect(most.ok && most.topics.length).toBe(4096);
    expect(parse(JSON.stringify(names))).toEqual({ ok: false, problem: 'too-many-topics' });
  });

  it('refuses two megabytes of anything without parsing it', () => {
    const bytesMax = 2 * 1024 * 1024;
    const largest = `["${'x'.repeat(bytesMax - 4)}"]`;
    expect(parse(largest)).toMatchObject({ ok: true, topics: [], refused: [{ problem: 'too-long' }] });
    expect(parse(`${largest} `)).toEqual({ ok: false, problem: 'too-large' });
    expect(parse('['.repeat(bytesMax))).toEqual({ ok: false, problem: 'not-an-array-of-scalars' });
    expect(parse(`[${'0,'.repeat(100_000)}0]`)).toEqual({ ok: false, problem: 'too-many-topics' });
  });
});

describe('topic list of the client side', () => {
  it('is read by the relay', () => {
    const topics = ['a', '主题', 'with "quotes"', ''];
    expect(parseTopicList(formatTopicList(topics))).toEqual(accepted(topics));
    expect(formatTopicList([]).toString()).toBe('[]');
  });

  it('refuses what the relay would leave out', () => {
    for (const topic of ['a\tb', 'x'.repeat(255), '\ud800']) expect(() => formatTopicList([topic])).toThrow(RangeError);
    expect(() => formatTopicList(Array.from({ length: 4097 }, (_, i) => `${i}`))).toThrow(RangeError);
  });
});
