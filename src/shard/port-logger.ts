/** Log lines of a shard travel to the control thread, so that one writer keeps them whole and in order. */
import type { MessagePort } from 'node:worker_threads';
import { LOG_LEVELS, type LogFields, type Logger, type LogLevel } from '../base/logger.js';
import type { ShardToControl } from './messages.js';

/** Lines a second of every level: what clients provoke must not fill the control thread's queue. */
const LINES_PER_SECOND_MAX = 500;

export class PortLogger implements Logger {
  readonly #port: MessagePort;
  #levelIndex: number;
  readonly #nowMs: () => number;
  #windowMs = 0;
  #lines = 0;
  #suppressed = 0;

  constructor(port: MessagePort, level: LogLevel, nowMs: () => number) {
    this.#port = port;
    this.#levelIndex = LOG_LEVELS.indexOf(level);
    this.#nowMs = nowMs;
  }

  setLevel(level: LogLevel): void {
    this.#levelIndex = LOG_LEVELS.indexOf(level);
  }

  enabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.#levelIndex;
  }

  log(level: LogLevel, fields: LogFields, message: string): void {
    if (!this.enabled(level) || !this.#allows()) return;
    this.#post({ type: 'log', level, fields, message });
  }

  #allows(): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - this.#windowMs >= 1000) {
      const suppressed = this.#suppressed;
      this.#windowMs = nowMs;
      this.#lines = 0;
      this.#suppressed = 0;
      if (suppressed > 0) {
        this.#post({
          type: 'log',
          level: 'warn',
          fields: { suppressed },
          message: 'log lines suppressed in the last second',
        });
      }
    }
    if (++this.#lines <= LINES_PER_SECOND_MAX) return true;
    this.#suppressed++;
    return false;
  }

  #post(message: ShardToControl): void {
    this.#port.postMessage(message);
  }
}
