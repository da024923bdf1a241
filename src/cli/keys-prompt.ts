/** Asks for a line on the terminal without showing it. */
import { StringDecoder } from 'node:string_decoder';
import { RelayError } from '../base/errors.js';

/** A command that somebody left alone must not hold a key's password prompt for ever. */
const ANSWER_TIMEOUT_MS = 300_000;
/** More than anybody types. */
const CHARS_MAX = 1_024;

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const ERASE = new Set(['\u007f', '\b']);

/** What is used of a terminal, so that a test can be one. */
export interface Terminal {
  readonly input: {
    setRawMode(on: boolean): unknown;
    on(event: 'data', listener: (bytes: Buffer) => void): unknown;
    on(event: 'end', listener: () => void): unknown;
    removeAllListeners(event: 'data' | 'end'): unknown;
    resume(): unknown;
    pause(): unknown;
  };
  write(text: string): void;
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
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      input.removeAllListeners('data');
      input.removeAllListeners('end');
      input.setRawMode(false);
      input.pause();
      terminal.write('\n');
      settle();
    };
    const stop = (why: string) => finish(() => reject(new RelayError('usage', why)));
    const timer = setTimeout(() => stop('no password was typed in five minutes'), ANSWER_TIMEOUT_MS);
    input.on('end', () => stop('the terminal is gone'));
    input.on('data', (bytes) => {
      for (const char of decoder.write(bytes)) {
        if (char === '\r' || char === '\n') return finish(() => resolve(typed.join('')));
        if (char === CTRL_C || char === CTRL_D) return stop('interrupted');
        if (char === CTRL_U) typed = [];
        else if (ERASE.has(char)) typed.pop();
        else if (char >= ' ' && typed.length < CHARS_MAX) typed.push(char);
      }
    });
    // First: whoever sees the question may answer, and nothing must show it.
    input.setRawMode(true);
    input.resume();
    terminal.write(question);
  });
}

function processTerminal(): Terminal {
  return { input: process.stdin, write: (text) => process.stderr.write(text) };
}
