import { describe, expect, it } from 'vitest';
import { Organisations } from '../../../src/shard/organisations.js';

const EC_CA = '11'.repeat(32);
const RSA_CA = '22'.repeat(32);
const OTHER_CA = '33'.repeat(32);

const peer = (organisationId: string | undefined, issuerCn = 'agency') => ({ organisationId, issuerCn });

describe('the organisation of a certificate', () => {
  it('is the key of its issuer, shown as the name of that', () => {
    const organisations = new Organisations([]);
    expect(organisations.of(peer(EC_CA, 'bank-a'))).toEqual({ id: EC_CA, name: 'bank-a' });
  });

  it('is told apart by the key, not by the name', () => {
    const organisations = new Organisations([]);
    const [one, two] = [organisations.of(peer(EC_CA, 'agency')), organisations.of(peer(RSA_CA, 'agency'))];
    expect([one.name, two.name]).toEqual(['agency', 'agency']);
    expect(one.id).not.toBe(two.id);
  });

  it('is the one that the configuration makes of several issuers', () => {
    const organisations = new Organisations([
      { name: 'Bank A', issuerIds: [EC_CA, RSA_CA] },
      { name: 'Bank B', issuerIds: [OTHER_CA] },
    ]);
    const [ec, rsa, other] = [EC_CA, RSA_CA, OTHER_CA].map((id) => organisations.of(peer(id, 'agency')));
    expect([ec.name, rsa, other.name]).toEqual(['Bank A', ec, 'Bank B']);
    expect(other.id).not.toBe(ec.id);
  });

  it('cannot be imitated by giving an organisation the key of an issuer as its name', () => {
    const organisations = new Organisations([{ name: OTHER_CA, issuerIds: [EC_CA] }]);
    expect(organisations.of(peer(EC_CA)).id).not.toBe(organisations.of(peer(OTHER_CA)).id);
  });

  it('is one and the same for all whose issuer is not known, whatever that is called', () => {
    const organisations = new Organisations([{ name: 'unknown', issuerIds: [EC_CA] }]);
    const nobody = organisations.of(peer(undefined, 'Bank A'));
    expect(nobody).toEqual({ id: 'unknown', name: 'unknown' });
    expect(organisations.of(peer(undefined, 'Bank B'))).toEqual(nobody);
    expect(organisations.of(peer(EC_CA)).id, 'nor is a configured one taken for it').not.toBe(nobody.id);
  });
});
