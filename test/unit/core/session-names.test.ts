import { describe, expect, it } from 'vitest';
import { type NamedSession, SessionNames } from '../../../src/core/session-names.js';

const DIGEST = 'ab'.repeat(32);
const session = (fields: Partial<NamedSession> = {}): NamedSession => ({
  certificateDigest: DIGEST,
  organisation: 'bank-a',
  subject: 'sdk',
  ...fields,
});

describe('the names of sessions', () => {
  it('match whole', () => {
    const named = new SessionNames([DIGEST, 'bank-a/sdk']);
    expect(named.has(session({ certificateDigest: '0'.repeat(64) }))).toBe(true);
    expect(named.has(session({ organisation: 'x', subject: 'y' }))).toBe(true);
    expect(named.has(session({ certificateDigest: '0'.repeat(64), organisation: 'bank-a/sdk', subject: '' }))).toBe(
      false,
    );
  });

  it('cannot be imitated by an agency whose own name ends with the name of somebody', () => {
    const named = new SessionNames(['bank/a/sdk']);
    expect(named.has(session({ organisation: 'bank', subject: 'a/sdk' }))).toBe(true);
    expect(named.has(session({ organisation: 'bank/a', subject: 'sdk' }))).toBe(false);
  });

  it('are digests in either case when they have 64 hex digits', () => {
    expect(new SessionNames([DIGEST.toUpperCase()]).has(session())).toBe(true);
    expect(new SessionNames([DIGEST.slice(1)]).has(session())).toBe(false);
    expect(new SessionNames([`${DIGEST}a`]).has(session())).toBe(false);
  });
});
