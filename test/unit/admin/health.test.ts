import { describe, expect, it } from 'vitest';
import { createHealth, type HealthSources } from '../../../src/admin/health.js';

const NOW_MS = Date.UTC(2026, 0, 31);

function health(overrides: Partial<HealthSources> = {}) {
  return createHealth({
    dead: () => undefined,
    draining: () => false,
    listeners: () => 2,
    certificates: () => [{ role: 'rpc.listener[0]', notAfterSeconds: NOW_MS / 1000 + 1 }],
    now: () => NOW_MS,
    ...overrides,
  });
}

const codes = (overrides: Partial<HealthSources>) =>
  health(overrides)
    .ready()
    .reasons.map((reason) => reason.code);

describe('health', () => {
  it('is alive and ready when everything is up', () => {
    expect(health().live()).toEqual({ status: 'ok', reasons: [] });
    expect(health().ready()).toEqual({ status: 'ok', reasons: [] });
  });

  it('is neither alive nor ready when a shard is gone', () => {
    const report = { status: 'unavailable', reasons: [{ code: 'dead', message: 'shard 0 is gone: out of memory' }] };
    const dead = () => 'shard 0 is gone: out of memory';
    expect(health({ dead }).live()).toEqual(report);
    expect(health({ dead }).ready()).toEqual(report);
  });

  it('stays alive while it drains, without listeners and with an expired certificate', () => {
    const overrides = {
      draining: () => true,
      listeners: () => 0,
      certificates: () => [{ role: 'rpc.listener[0]', notAfterSeconds: 1 }],
    };
    expect(health(overrides).live().status).toBe('ok');
    expect(codes(overrides)).toEqual(['draining', 'no-listener', 'certificate-expired']);
  });

  it('is not ready without certificates', () => {
    expect(codes({ certificates: () => [] })).toEqual(['no-certificate']);
  });

  it('names the certificate that expired, from the second of its end', () => {
    const at = (notAfterSeconds: number) =>
      health({
        certificates: () => [
          { role: 'rpc.listener[0]', notAfterSeconds: NOW_MS / 1000 + 9 },
          { role: 'rpc.listener[1]', notAfterSeconds },
        ],
      }).ready();
    expect(at(NOW_MS / 1000 + 1).status).toBe('ok');
    expect(at(NOW_MS / 1000).reasons).toEqual([
      {
        code: 'certificate-expired',
        message: 'the certificate of rpc.listener[1] expired at 2026-01-31T00:00:00.000Z; renew it and restart',
      },
    ]);
  });
});
