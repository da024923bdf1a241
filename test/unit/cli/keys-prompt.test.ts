import { EventEmitter } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import { askHidden, type Terminal } from '../../../src/cli/keys-prompt.js';

class FakeInput extends EventEmitter {
  raw = false;
  reading = false;
  givenBack = '';
  setRawMode(on: boolean): void {
    this.raw = on;
  }
  resume(): void {
    this.reading = true;
  }
  pause(): void {
    this.reading = false;
  }
  unshift(bytes: Buffer): void {
    this.givenBack += bytes;
  }
  type(text: string | Buffer): void {
    this.emit('data', Buffer.from(text as string));
  }
}

function terminal(): { input: FakeInput; shown: () => string; as: Terminal } {
  const input = new FakeInput();
  let text = '';
  const as = {
    input,
    write: (part: string) => {
      text += part;
    },
  } as unknown as Terminal;
  return { input, shown: () => text, as };
}

afterEach(() => vi.useRealTimers());

it('returns the typed line and shows none of it', async () => {
  const { input, shown, as } = terminal();
  const answer = askHidden('Password of k.p12: ', as);
  expect(input).toMatchObject({ raw: true, reading: true });
  input.type('se');
  input.type('cret\r');
  expect(await answer).toBe('secret');
  expect(shown()).toBe('Password of k.p12: \n');
  expect(input).toMatchObject({ raw: false, reading: false });
  expect(input.eventNames()).toEqual([]);
});

it('leaves what is typed behind the line, and other readers, alone', async () => {
  const { input, as } = terminal();
  const reader = () => {};
  input.on('data', reader);
  const answer = askHidden('?', as);
  input.type('first\rsecond\r');
  expect(await answer).toBe('first');
  expect(input.givenBack).toBe('second\r');
  expect(input.listeners('data')).toEqual([reader]);
});

it('hides what is typed before it asks', async () => {
  const { input, as } = terminal();
  let rawWhenAsked: boolean | undefined;
  const answer = askHidden('?', { ...as, write: () => (rawWhenAsked ??= input.raw) } as Terminal);
  input.type('x\r');
  await answer;
  expect(rawWhenAsked).toBe(true);
});

it.each([
  ['backspace', 'ax\u007fb\n', 'ab'],
  ['backspace at the start', '\u007f\bab\n', 'ab'],
  ['the line killed', 'wrong\u0015ab\n', 'ab'],
  ['keys that are no characters', 'a\u0001\u001bb\n', 'ab'],
  ['nothing', '\n', ''],
])('understands %s', async (_name, typed, expected) => {
  const { input, as } = terminal();
  const answer = askHidden('?', as);
  input.type(typed);
  expect(await answer).toBe(expected);
});

it('joins a character whose bytes come apart', async () => {
  const { input, as } = terminal();
  const answer = askHidden('?', as);
  const bytes = Buffer.from('密\n');
  input.type(bytes.subarray(0, 1));
  input.type(bytes.subarray(1));
  expect(await answer).toBe('密');
});

it.each([
  ['Ctrl-C', (input: FakeInput) => input.type('ab\u0003'), 'interrupted'],
  ['Ctrl-D', (input: FakeInput) => input.type('\u0004'), 'interrupted'],
  ['the end of the terminal', (input: FakeInput) => input.emit('end'), 'the terminal is gone'],
  ['a terminal that is torn away', (input: FakeInput) => input.emit('error', new Error('EIO')), 'the terminal is gone'],
])('gives up on %s and leaves the terminal as it was', async (_name, act, why) => {
  const { input, as } = terminal();
  const answer = askHidden('?', as);
  act(input);
  await expect(answer).rejects.toMatchObject({ code: 'usage', message: why });
  expect(input.raw).toBe(false);
});

it('does not wait for ever', async () => {
  vi.useFakeTimers();
  const { as } = terminal();
  const answer = askHidden('?', as);
  const refused = expect(answer).rejects.toMatchObject({ message: 'no password was typed in five minutes' });
  vi.advanceTimersByTime(300_000);
  await refused;
});
