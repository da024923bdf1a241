/**
 * Asks for a line on the terminal without showing it.
 *
 * Invariant: the terminal echoes nothing from before the question is shown until the line has ended, and is as it was however the
 * question ends. What was typed behind the line is left for whoever reads next.
 */
import { openSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { ReadStream } from 'node:tty';
import { errorText, RelayError } from '../base/errors.js';

/** A command that somebody left alone must not hold a key's password prompt for ever. */
const ANSWER_TIMEOUT_MS = 300_000;
/** More than anybody types. */
const CHARS_MAX = 1_024;

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
/** The terminal that a process belongs to. */
const TERMINAL_PATH = '/dev/tty';
const ERASE = new Set(['\u007f', '\b']);

/** What is used of a terminal, so that a test can be one. */
export interface Terminal {
  readonly input: {
    setRawMode(on: boolean): unknown;
    on(event: 'data', listener: (bytes: Buffer) => void): unknown;
    on(event: 'end' | 'error', listener: () => void): unknown;
    off(event: 'data', listener: (bytes: Buffer) => void): unknown;
    off(event: 'end' | 'error', listener: () => void): unknown;
    resume(): unknown;
    pause(): unknown;
    /** Gives back what was read too much. */
    unshift(bytes: Buffer): unknown;
  };
  write(text: string): void;
  /** Gives the terminal back, where it was opened for one question. */
  close?(): void;
}

/** Standard input is a terminal, and so is standard error, where the question goes: standard output stays for data. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** The line typed, without its end. @throws RelayError `usage` on Ctrl-C, Ctrl-D or after five minutes */
export function askHidden(question: string, terminal: Terminal = processTerminal()): Promise<string> {
  const { input } = terminal;
  const decoder = new StringDecoder('utf8');
  let typed: string[] = [];
  return new Promise<string>((resolve, reject) => {
    const finish = (settle: () => void, rest = '') => {
      clearTimeout(timer);
      input.off('data', onData);
      input.off('end', onGone);
      input.off('error', onGone);
      input.setRawMode(false);
      input.pause();
      if (rest !== '') input.unshift(Buffer.from(rest));
      terminal.write('\n');
      terminal.close?.();
      settle();
    };
    const stop = (why: string) => finish(() => reject(new RelayError('usage', why)));
    const onGone = () => stop('the terminal is gone');
    const onData = (bytes: Buffer) => {
      const chars = [...decoder.write(bytes)];
      for (const [index, char] of chars.entries()) {
        if (char === '\r' || char === '\n') {
          return finish(() => resolve(typed.join('')), chars.slice(index + 1).join(''));
        }
        if (char === CTRL_C || char === CTRL_D) return stop('interrupted');
        if (char === CTRL_U) typed = [];
        else if (ERASE.has(char)) typed.pop();
        else if (char >= ' ' && typed.length < CHARS_MAX) typed.push(char);
      }
    };
    const timer = setTimeout(() => stop('no password was typed in five minutes'), ANSWER_TIMEOUT_MS);
    input.on('data', onData);
    input.on('end', onGone);
    input.on('error', onGone);
    // First: whoever sees the question may answer, and nothing must show it.
    input.setRawMode(true);
    input.resume();
    terminal.write(question);
  });
}

function processTerminal(): Terminal {
  const write = (text: string) => void process.stderr.write(text);
  if (!process.stdin.readableEnded) return { input: process.stdin, write };
  // It was read to its end (a payload or key was typed and ended with Ctrl-D): nothing more comes from it, the terminal is there.
  let input: ReadStream;
  try {
    input = new ReadStream(openSync(TERMINAL_PATH, 'r'));
  } catch (error) {
    throw new RelayError('usage', `nobody can be asked for a password, standard input has ended: ${errorText(error)}`);
  }
  return { input, write, close: () => void input.destroy() };
}
