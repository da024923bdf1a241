/**
 * The log of the process: pino writes JSON lines `{level, ts, component, …fields, msg}`, a formatter of our own text for
 * people. Lines are written synchronously: the last ones before an exit are the ones that matter.
 */
import { pino } from 'pino';
import { type Clock, systemClock } from '../base/clock.js';
import { LOG_LEVELS, type LogFields, type Logger, type LogLevel, type LogValue } from '../base/logger.js';
import { createFdDestination, type LogDestination } from './log-destination.js';
import { RepeatLimit } from './log-repeats.js';
import { formatTextLine } from './log-text.js';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'text';
  /** Standard output by default. */
  readonly destination?: LogDestination;
  /** For the windows of repeated lines. */
  readonly clock?: Clock;
  /** Wall time in milliseconds since 1970, for `ts`. */
  readonly wallMs?: () => number;
}

export interface RelayLogger extends Logger {
  /** The same log with `component` for lines that do not name one. */
  child(component: string): RelayLogger;
  /** Holds for every child as well. */
  setLevel(level: LogLevel): void;
  /** Writes how many repeated lines were held back so far; call it last. */
  flush(): void;
}

/** Of lines that name none. */
const DEFAULT_COMPONENT = 'relay';
/** Names of the line itself; a field of that name gets a `_` behind it, two equal keys are no good JSON. */
const RESERVED = new Set(['level', 'ts', 'msg']);
/** A stack trace fits; what a peer chose cannot make a line longer than this a value. */
const STRING_CHARS_MAX = 4_096;
const LIST_ENTRIES_MAX = 64;
const DEPTH_MAX = 4;

type WriteLine = (level: LogLevel, fields: LogFields, message: string) => void;

export function createLogger(options: LogOptions): RelayLogger {
  const clock = options.clock ?? systemClock;
  const repeats = new RepeatLimit();
  const writeLine = options.format === 'json' ? jsonLines(options) : textLines(options);
  let threshold = LOG_LEVELS.indexOf(options.level);

  const reportSuppressed = (nowMs: number): void => {
    for (const { level, component, message, reason, suppressed } of repeats.expire(nowMs)) {
      const line = { component, line: message, ...(reason === '' ? {} : { reason }), suppressed };
      writeLine(level as LogLevel, line, 'repeated lines suppressed');
    }
  };

  const create = (component: string): RelayLogger => {
    const enabled = (level: LogLevel): boolean => LOG_LEVELS.indexOf(level) >= threshold;
    return {
      enabled,
      log(level, fields, message) {
        if (!enabled(level)) return;
        const line = boundedFields(component, fields);
        // Whoever asks for debug wants every line.
        if (level !== 'debug' && level !== 'trace') {
          const nowMs = clock.nowMs();
          reportSuppressed(nowMs);
          const reason = String(fields.reason ?? fields.code ?? '');
          if (!repeats.allows({ level, component: String(line.component), message, reason }, nowMs)) return;
        }
        writeLine(level, line, message);
      },
      child: create,
      setLevel(level) {
        threshold = LOG_LEVELS.indexOf(level);
      },
      flush: () => reportSuppressed(Number.POSITIVE_INFINITY),
    };
  };
  return create(DEFAULT_COMPONENT);
}

function jsonLines(options: LogOptions): WriteLine {
  const wallMs = options.wallMs ?? Date.now;
  const logger = pino(
    {
      level: 'trace', // the threshold stands above
      base: null,
      timestamp: () => `,"ts":"${new Date(wallMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? createFdDestination(),
  );
  return (level, fields, message) => logger[level](fields, message);
}

function textLines(options: LogOptions): WriteLine {
  const wallMs = options.wallMs ?? Date.now;
  const destination = options.destination ?? createFdDestination();
  return (level, fields, message) =>
    destination.write(formatTextLine(new Date(wallMs()).toISOString(), level, fields, message));
}

function boundedFields(component: string, fields: LogFields): LogFields {
  const line: Record<string, LogValue> = { component };
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line[RESERVED.has(name) ? `${name}_` : name] = bounded(value, 0);
  }
  return line;
}

function bounded(value: LogValue, depth: number): LogValue {
  if (typeof value === 'string') {
    return value.length <= STRING_CHARS_MAX
      ? value
      : `${value.slice(0, STRING_CHARS_MAX)}… (${value.length} characters)`;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth === DEPTH_MAX) return '…';
  if (Array.isArray(value)) {
    const list = value.slice(0, LIST_ENTRIES_MAX).map((entry: LogValue) => bounded(entry, depth + 1));
    return value.length <= LIST_ENTRIES_MAX ? list : [...list, `… (${value.length} entries)`];
  }
  const entries = Object.entries(value as Record<string, LogValue>);
  return Object.fromEntries(entries.slice(0, LIST_ENTRIES_MAX).map(([name, each]) => [name, bounded(each, depth + 1)]));
}
