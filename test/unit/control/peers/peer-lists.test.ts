import { describe, expect, it } from 'vitest';
import { normalNodeId, type PeerLists, PeerPolicy } from '../../../../src/control/peers/peer-lists.js';

const ONE = 'a1'.repeat(64);
const TWO = 'b2'.repeat(64);
const policy = (lists: Partial<PeerLists> = {}) =>
  new PeerPolicy({ whitelist: [], blacklist: [], allowSdkCertificates: false, ...lists });

describe('a node ID', () => {
  it('is 128 hex digits, compared in lower case', () => {
    expect(normalNodeId(ONE)).toBe(ONE);
    expect(normalNodeId(ONE.toUpperCase())).toBe(ONE);
  });

  it.each([
    undefined,
    '',
    ONE.slice(1),
    `${ONE}0`,
    `0x${ONE.slice(2)}`,
    `${ONE.slice(1)}g`,
    `${ONE}\n`,
    ` ${ONE.slice(1)}`,
  ])('is not %j', (text) => expect(normalNodeId(text)).toBeUndefined());
});

describe('who may be a peer', () => {
  it('is everybody without lists, but no application', () => {
    expect(policy().refusal(ONE, false)).toBeUndefined();
    expect(policy().refusal(ONE, true)).toBe('sdk-certificate');
    expect(policy({ allowSdkCertificates: true }).refusal(ONE, true)).toBeUndefined();
  });

  it('is who stands on the white list once it has entries, in letters of either case', () => {
    expect(policy({ whitelist: [TWO.toUpperCase()] }).refusal(TWO, false)).toBeUndefined();
    expect(policy({ whitelist: [TWO] }).refusal(ONE, false)).toBe('not-whitelisted');
  });

  it('is not who stands on the black list, whatever else speaks for it', () => {
    const both = policy({ whitelist: [ONE, TWO], blacklist: [ONE.toUpperCase()], allowSdkCertificates: true });
    expect([both.refusal(ONE, true), both.refusal(TWO, true)]).toEqual(['blacklisted', undefined]);
  });

  it('is not an application that stands on the white list', () => {
    expect(policy({ whitelist: [ONE] }).refusal(ONE, true)).toBe('sdk-certificate');
  });
});
