import { describe, expect, it } from 'vitest';
import { parseCode, parseDuration, parseSize } from '../../../src/cli/arguments.js';
import { paint } from '../../../src/cli/style.js';
import { splitWords } from '../../../src/cli/words.js';

describe('splitWords', () => {
  it.each([
    ['a b  c', ['a', 'b', 'c']],
    ['  a\t b\n', ['a', 'b']],
    [`'a b' "c d"`, ['a b', 'c d']],
    [`a'b'"c"d`, ['abcd']],
    ["''", ['']],
    ['a\\ b', ['a b']],
    ["'a\\b'", ['a\\b']],
    ['"a\\"b\\\\c\\d"', ['a"b\\c\\d']],
    ['$HOME `x` $(y) *; | > &', ['$HOME', '`x`', '$(y)', '*;', '|', '>', '&']],
    ['end\\', ['end\\']],
  ])('reads %j', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it.each(['', '  ', '"', "a 'b"])('refuses %j', (line) => {
    expect(() => splitWords(line)).toThrow(RangeError);
  });
});

describe('arguments', () => {
  it.each([
    ['100', 100],
    ['-100', 100],
    ['AMOP-100', 100],
    ['amop-4711', 4711],
  ])('reads the code %s', (text, code) => {
    expect(parseCode(text)).toBe(code);
  });

  it.each(['', '0', '-0', '1.5', 'AMOP', '--100', '2147483648', 'x100'])('refuses the code %j', (text) => {
    expect(() => parseCode(text)).toThrow('AMOP-100');
  });

  it.each([
    ['128', 128],
    ['4k', 4_096],
    ['1M', 1_048_576],
    ['2KiB', 2_048],
    ['0', 0],
  ])('reads the size %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    ['5', 5_000],
    ['2.5s', 2_500],
    ['500ms', 500],
    ['1m', 60_000],
  ])('reads the time %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
});

describe('paint', () => {
  it('colours on a terminal only, and not where NO_COLOR is set', () => {
    expect(paint({ isTTY: true }, 'red', 'x', {})).toBe('\u001b[31mx\u001b[39m');
    expect(paint({ isTTY: true }, 'red', 'x', { NO_COLOR: '' })).toBe('\u001b[31mx\u001b[39m');
    expect(paint({ isTTY: true }, 'red', 'x', { NO_COLOR: '1' })).toBe('x');
    expect(paint({ isTTY: true }, 'red', 'x', { TERM: 'dumb' })).toBe('x');
    expect(paint({}, 'red', 'x', {})).toBe('x');
  });
});
