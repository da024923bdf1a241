import { describe, expect, it } from 'vitest';
import { createLogger, type LogOptions } from '../../../src/admin/log.js';
import { createBlockingDestination } from '../../../src/admin/log-destination.js';
import type { LogFields } from '../../../src/base/logger.js';

function capture(options: Partial<LogOptions> = {}) {
  const written: string[] = [];
  const clock = { ms: 0, nowMs: () => clock.ms };
  const logger = createLogger({
    level: 'info',
    format: 'json',
    destination: { write: (line) => void written.push(line) },
    clock,
    wallMs: () => Date.UTC(2026, 0, 31, 12, 0, 0, 7),
    ...options,
  });
  return { logger, clock, written, lines: () => written.map((line) => JSON.parse(line)) };
}

describe('the log in JSON', () => {
  it('writes one object a line with level, time, component, fields and message', () => {
    const { logger, written } = capture();
    logger.log('warn', { component: 'tls', listener: '0.0.0.0:20200', n: 1, none: undefined }, 'no "good"\nline');
    expect(written).toEqual([
      '{"level":"warn","ts":"2026-01-31T12:00:00.007Z","component":"tls","listener":"0.0.0.0:20200","n":1,"msg":"no \\"good\\"\\nline"}\n',
    ]);
  });

  it('writes lists and objects as they are', () => {
    const { logger, lines } = capture();
    const fields = { listeners: [{ ip: '::1', port: 1 }], admin: { ip: '127.0.0.1', port: 2 } };
    logger.log('info', fields, 'relay ready');
    expect(lines()).toEqual([
      { level: 'info', ts: expect.any(String), component: 'relay', ...fields, msg: 'relay ready' },
    ]);
  });

  it('keeps each key once when a field has the name of a part of the line', () => {
    const { logger, written } = capture();
    logger.log('info', { level: 'x', ts: 'y', msg: 'z', component: 'own' }, 'm');
    expect(written[0]).toBe(
      '{"level":"info","ts":"2026-01-31T12:00:00.007Z","component":"own","level_":"x","ts_":"y","msg_":"z","msg":"m"}\n',
    );
  });

  it('bounds what one field can hold', () => {
    const { logger, lines } = capture();
    const deep: LogFields = { a: { b: { c: { d: { e: 1 } } } } };
    logger.log('info', { long: 'x'.repeat(10_000), list: Array(100).fill('t'), deep: deep as never }, 'm');
    const [line] = lines();
    expect(line.long).toBe(`${'x'.repeat(4_096)}… (10000 characters)`);
    expect(line.list).toHaveLength(65);
    expect(line.list[64]).toBe('… (100 entries)');
    expect(line.deep).toEqual({ a: { b: { c: { d: '…' } } } });
  });
});

describe('levels and components', () => {
  it('writes lines of the level and above, and says so beforehand', () => {
    const { logger, lines } = capture({ level: 'warn' });
    for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) logger.log(level, {}, level);
    expect(lines().map((line) => line.msg)).toEqual(['warn', 'error']);
    expect([logger.enabled('info'), logger.enabled('warn')]).toEqual([false, true]);
  });

  it('change while running, for children too', () => {
    const { logger, lines } = capture({ level: 'error' });
    const child = logger.child('admin');
    child.log('debug', {}, 'before');
    logger.setLevel('debug');
    child.log('debug', {}, 'after');
    child.log('debug', { component: 'other' }, 'named');
    expect(child.enabled('trace')).toBe(false);
    expect(lines().map(({ component, msg }) => [component, msg])).toEqual([
      ['admin', 'after'],
      ['other', 'named'],
    ]);
  });
});

describe('the log as text', () => {
  it('writes a line for people', () => {
    const { logger, written } = capture({ format: 'text' });
    logger.log('warn', { component: 'tls', listener: 'rpc.listener[0]', n: 1, why: 'a b', list: ['x'] }, 'refused');
    expect(written).toEqual([
      '2026-01-31T12:00:00.007Z WARN  tls: refused listener=rpc.listener[0] n=1 why="a b" list=["x"]\n',
    ]);
  });

  it('lets nothing through that a terminal would act on', () => {
    const { logger, written } = capture({ format: 'text' });
    const hostile = 'a\u001b[2Jb\u009b2Jc\u202ed\ne\u2028f';
    logger.log('info', { component: hostile, [hostile]: hostile }, hostile);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what must not be there
    expect(written.join('').slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
    expect(written).toHaveLength(1);
  });
});

describe('repeated lines', () => {
  it('are held back after a hundred in ten seconds, and counted', () => {
    const { logger, clock, lines } = capture();
    for (let n = 0; n < 250; n++) logger.log('warn', { component: 'tls', remote: `10.0.0.${n}` }, 'handshake failed');
    expect(lines()).toHaveLength(100);
    clock.ms = 10_000;
    logger.log('info', {}, 'another line');
    expect(lines().slice(100)).toMatchObject([
      { level: 'warn', component: 'tls', line: 'handshake failed', suppressed: 150, msg: 'repeated lines suppressed' },
      { msg: 'another line' },
    ]);
    logger.log('warn', { component: 'tls' }, 'handshake failed');
    expect(lines()).toHaveLength(103);
  });

  it('are told apart by component, level, message, reason and code', () => {
    const { logger, lines } = capture();
    for (let n = 0; n < 101; n++) logger.log('info', { reason: 'idle' }, 'session closed');
    logger.log('info', { reason: 'slow-consumer' }, 'session closed');
    logger.log('info', { code: 102 }, 'session closed');
    logger.log('warn', { reason: 'idle' }, 'session closed');
    logger.log('info', { reason: 'idle', component: 'other' }, 'session closed');
    logger.log('info', { reason: 'idle' }, 'something else');
    expect(lines()).toHaveLength(105);
  });

  it('are all written for who asked for debug, and counted at the end', () => {
    const { logger, lines } = capture({ level: 'debug' });
    for (let n = 0; n < 300; n++) logger.log('debug', {}, 'frame');
    expect(lines()).toHaveLength(300);
    for (let n = 0; n < 101; n++) logger.log('error', {}, 'again');
    logger.flush();
    logger.flush();
    expect(lines().slice(400)).toMatchObject([{ level: 'error', line: 'again', suppressed: 1 }]);
  });

  it('take bounded memory: kinds beyond the bound are written unlimited', () => {
    const { logger, lines } = capture();
    for (let n = 0; n < 600; n++) logger.log('info', {}, `line ${n}`);
    for (let n = 0; n < 150; n++) logger.log('info', {}, 'line 599');
    expect(lines()).toHaveLength(750);
  });
});

describe('the destination of the log', () => {
  const failing = (code: string) => {
    throw Object.assign(new Error(code), { code });
  };

  function pipe(capacity: number) {
    const state = { free: capacity, taken: '', waitedMs: 0, refills: 0 };
    const destination = createBlockingDestination(
      (bytes) => {
        if (state.free === 0) failing('EAGAIN');
        const count = Math.min(state.free, bytes.length);
        state.free -= count;
        state.taken += Buffer.from(bytes.subarray(0, count)).toString();
        return count;
      },
      (ms) => {
        state.waitedMs += ms;
        state.free += state.refills;
      },
    );
    return { state, destination };
  }

  it('writes a whole line before it returns, in as many pieces as the pipe takes', () => {
    const { state, destination } = pipe(3);
    state.refills = 2;
    destination.write('0123456789\n');
    expect(state.taken).toBe('0123456789\n');
  });

  it('waits once for a reader that stopped, then drops and counts lines until there is room', () => {
    const { state, destination } = pipe(2);
    destination.write('{}\n');
    expect(state.waitedMs).toBe(500);
    destination.write('lost\n');
    destination.write('lost\n');
    expect(state.waitedMs).toBe(500);
    state.free = 1_000;
    destination.write('back\n');
    destination.write('again\n');
    expect(state.taken).toMatch(
      /^\{\}\n\{"level":"warn","ts":"[^"]+","component":"log","dropped":3,"msg":"[^"]+"\}\nback\nagain\n$/,
    );
  });

  it('ends a line that it began even behind a reader that had stopped', () => {
    const { state, destination } = pipe(0);
    destination.write('lost\n');
    state.free = 5;
    state.refills = 5;
    destination.write('whole\n');
    expect(state.taken).toMatch(/"dropped":1.*\}\nwhole\n$/);
  });

  it('does not end the process when the pipe is closed or the disk full', () => {
    for (const code of ['EPIPE', 'ENOSPC', 'EBADF']) {
      const destination = createBlockingDestination(
        () => failing(code),
        () => {},
      );
      expect(() => destination.write('x\n')).not.toThrow();
    }
  });
});
