export type LogValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly LogValue[]
  | { readonly [name: string]: LogValue };

/** Fields of one log line. Payloads never stand in them. */
export type LogFields = Readonly<Record<string, LogValue>>;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What the layers need of a logger; pino stands behind it in the process, nothing in most tests. */
export interface Logger {
  /** True when a line of this level would be written: ask before building fields on a hot path. */
  enabled(level: LogLevel): boolean;
  log(level: LogLevel, fields: LogFields, message: string): void;
}

export const silentLogger: Logger = { enabled: () => false, log: () => {} };
