import { describe, expect, it } from 'vitest';
import { PrivateAccess } from '../../../../src/control/private/private-access.js';
import type { PrivateSession } from '../../../../src/shard/messages.js';

const DIGEST = 'ab'.repeat(32);
const session = (fields: Partial<PrivateSession> = {}): PrivateSession => ({
  id: 1,
  handle: '0'.repeat(16),
  certificateDigest: DIGEST,
  organisation: 'bank-a',
  subject: 'sdk',
  ...fields,
});

describe('access to a private topic', () => {
  it('is for everybody where the configuration names no senders', () => {
    const access = new PrivateAccess([{ name: 'open' }, { name: 'closed', senders: ['bank-b/sdk'] }]);
    expect([access.maySend('open', session()), access.maySend('unnamed', session())]).toEqual([true, true]);
    expect(access.maySend('closed', session())).toBe(false);
  });

  it('is for the sessions that it names, by certificate or by organisation and name', () => {
    const access = new PrivateAccess([{ name: 't', senders: [DIGEST.toUpperCase(), 'bank-b/sdk'] }]);
    const other = 'cd'.repeat(32);
    expect(access.maySend('t', session())).toBe(true);
    expect(access.maySend('t', session({ certificateDigest: other }))).toBe(false);
    expect(access.maySend('t', session({ certificateDigest: other, organisation: 'bank-b' }))).toBe(true);
    expect(access.maySend('t', session({ certificateDigest: other, organisation: 'bank-b', subject: 'SDK' }))).toBe(
      false,
    );
  });

  it('is for nobody by a bare name, which any agency can issue', () => {
    const access = new PrivateAccess([{ name: 't', senders: ['sdk', 'bank-a', '/sdk'] }]);
    expect(access.maySend('t', session())).toBe(false);
  });

  it('counts each topic by itself, by its exact name', () => {
    const access = new PrivateAccess([{ name: 'ab', senders: ['bank-b/sdk'] }]);
    expect(['ab', 'a', 'abc', 'AB'].map((name) => access.maySend(name, session()))).toEqual([false, true, true, true]);
  });
});
