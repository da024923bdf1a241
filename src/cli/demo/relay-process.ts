/**
 * A relay of the demonstration, a process of its own.
 *
 * Its standard input is a pipe that only we hold: when we end, for whatever reason, the pipe closes and the relay stops
 * by itself, so no relay is ever left behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RelayError } from '../../base/errors.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** Starting takes well under a second; a slow machine gets many times that. */
const START_TIMEOUT_MS = 20_000;

/** The relay's own drain takes 10 s at most. */
const STOP_TIMEOUT_MS = 12_000;

/** Characters kept of what the relay says on standard error, and of an unfinished log line. */
const TEXT_CHARS_MAX = 16_384;

export interface ReadyLine {
  readonly listeners: readonly { readonly ip: string; readonly port: number; readonly kind: string }[];
  readonly p2p?: { readonly ip: string; readonly port: number };
  readonly admin: { readonly ip: string; readonly port: number };
}

export interface RelayProcess {
  /** Whose it is. */
  readonly name: string;
  readonly ready: ReadyLine;
  readonly pid: number | undefined;
  readonly logFile: string;
  /** Resolves when the process is gone, with how it ended and its last words. */
  readonly exited: Promise<string>;
  /** Lets it drain and resolves when it is gone. */
  stop(): Promise<void>;
}

/** @throws RelayError `start-timeout` or `shard-failed` with the relay's own words */
export async function startRelayProcess(name: string, configFile: string, logFile: string): Promise<RelayProcess> {
  const child = spawn(process.execPath, [MAIN, 'relay', '--config', configFile, '--stop-on-stdin-end'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const log = createWriteStream(logFile);
  log.on('error', () => child.stdout.resume());
  child.stdin.on('error', () => {});
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-TEXT_CHARS_MAX);
  });
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => {
      log.end();
      resolve(words.trim() || `it ended with ${signal === null ? `code ${code}` : signal}, see ${logFile}`);
    });
  });
  const stop = () => stopChild(child, exited);
  try {
    return { name, ready: await readyLine(child, exited, logFile), pid: child.pid, logFile, exited, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function stopChild(child: ChildProcess, exited: Promise<string>): Promise<void> {
  // Not a signal: after Ctrl-C in a terminal the relay has had one already, and a second one means "at once".
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

function readyLine(child: ChildProcess, exited: Promise<string>, logFile: string): Promise<ReadyLine> {
  return new Promise((resolve, reject) => {
    let rest = '';
    const finish = () => {
      clearTimeout(timer);
      child.stdout?.off('data', onData);
    };
    const timer = setTimeout(() => {
      finish();
      const text = `the relay was not ready after ${START_TIMEOUT_MS / 1000} s, see ${logFile}`;
      reject(new RelayError('start-timeout', text));
    }, START_TIMEOUT_MS);
    const onData = (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = (lines.pop() ?? '').slice(-TEXT_CHARS_MAX);
      const ready = lines.map(parseReady).find((line) => line !== undefined);
      if (ready === undefined) return;
      finish();
      resolve(ready);
    };
    child.stdout?.on('data', onData);
    exited.then((words) => {
      finish();
      reject(new RelayError('shard-failed', `the relay did not start: ${words.replace(/^amop: /, '')}`));
    });
  });
}

function parseReady(line: string): ReadyLine | undefined {
  if (!line.includes('"relay ready"')) return undefined;
  try {
    const parsed = JSON.parse(line);
    return parsed.msg === 'relay ready' && Array.isArray(parsed.listeners) && parsed.admin ? parsed : undefined;
  } catch {
    return undefined;
  }
}
