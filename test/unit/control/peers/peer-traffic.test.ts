import { describe, expect, it } from 'vitest';
import { ORGANISATION_LABELS_MAX } from '../../../../src/base/limits.js';
import { PeerTraffic } from '../../../../src/control/peers/peer-traffic.js';

const report = (link: number, n: number, queueBytes = 0) => ({
  link,
  messagesReceived: n,
  messagesSent: 2 * n,
  bytesReceived: 100 * n,
  bytesSent: 200 * n,
  queueBytes,
});
const sum = (n: number, queueBytes = 0) => {
  const { link: _, ...rest } = report(0, n, queueBytes);
  return rest;
};

describe('traffic', () => {
  it('adds up for each link and for each organisation', () => {
    const traffic = new PeerTraffic();
    traffic.add('bank', report(1, 1));
    traffic.add('bank', report(2, 10));
    traffic.add('bank', report(1, 2));
    traffic.add('other bank', report(3, 5));
    expect([traffic.of(1), traffic.of(2), traffic.of(3)]).toEqual([sum(3), sum(10), sum(5)]);
    expect([...traffic.organisations]).toEqual([
      ['bank', sum(13)],
      ['other bank', sum(5)],
    ]);
  });

  it('has the bytes that wait now, not the sum of what waited', () => {
    const traffic = new PeerTraffic();
    traffic.add('bank', report(1, 1, 500));
    traffic.add('bank', report(2, 1, 70));
    traffic.add('bank', report(1, 1, 30));
    expect([traffic.of(1).queueBytes, traffic.organisations.get('bank')?.queueBytes]).toEqual([30, 100]);
    traffic.ended(1);
    expect(traffic.organisations.get('bank')).toEqual(sum(3, 70));
  });

  it('stays with the organisation when a link ends, and a new link begins with nothing', () => {
    const traffic = new PeerTraffic();
    traffic.add('bank', report(1, 4));
    traffic.ended(1);
    traffic.ended(1);
    expect(traffic.of(1)).toEqual(sum(0));
    traffic.add('bank', report(2, 1));
    expect([traffic.of(2), traffic.organisations.get('bank')]).toEqual([sum(1), sum(5)]);
    expect(traffic.of(3)).toEqual(sum(0));
  });

  it('has labels for a bounded number of organisations; the others are counted together', () => {
    const traffic = new PeerTraffic();
    const many = ORGANISATION_LABELS_MAX + 3;
    for (let at = 0; at < many; at++) traffic.add(`bank ${at}`, report(at, 1, 7));
    expect(traffic.organisations.size).toBe(ORGANISATION_LABELS_MAX + 1);
    expect(traffic.organisations.get('other')).toEqual(sum(3, 21));
    // One that has its label keeps it.
    traffic.add('bank 0', report(0, 1));
    traffic.add('bank 0', report(many, 1));
    expect(traffic.organisations.get('bank 0')).toEqual(sum(3));
    traffic.ended(ORGANISATION_LABELS_MAX);
    expect(traffic.organisations.get('other')?.queueBytes).toBe(14);
  });
});
