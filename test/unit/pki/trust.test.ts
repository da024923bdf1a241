/** Whether a certificate that was let in would be let in again after CAs, lists or time have changed. */
import { describe, expect, it } from 'vitest';
import { createAgency, createChain, createLeaf, listenerCaPem } from '../../../src/pki/authority.js';
import { Trust } from '../../../src/pki/trust.js';
import { createWorld, crlsOf, handshake, relayOf, sdkOf, VALID } from './world.js';

describe.each(['secp256k1', 'rsa'] as const)('trust anew, %s', (kind) => {
  const world = createWorld(kind);
  const leaf = createLeaf(world.bankA, 'sdk', 'app', VALID);
  const client = { ...sdkOf(world), certPem: leaf.certPem, keyPem: leaf.keyPem, leaf: leaf.certificate };
  const before = new Trust({ caPem: world.listenerCa });
  const now = new Date();

  async function peer() {
    const outcome = await handshake(relayOf(world), client);
    if (outcome.peer === undefined) throw new Error('the handshake failed');
    return outcome.peer;
  }

  it('lets in what it let in before', async () => {
    const refused = new Trust({ caPem: world.listenerCa }).refusal(await peer(), before, now);
    expect(refused).toBeUndefined();
  });

  it('refuses a revoked certificate, and only that one', async () => {
    const other = createLeaf(world.bankA, 'sdk', 'other', VALID);
    const list = (...revoked: (typeof leaf.certificate)[]) =>
      new Trust({ caPem: world.listenerCa, crlPem: crlsOf(world, revoked) });
    expect(list(other.certificate, leaf.certificate).refusal(await peer(), before, now)).toBe('revoked-certificate');
    expect(list(other.certificate).refusal(await peer(), before, now)).toBeUndefined();
  });

  it('does not take the list of another CA for that of the issuer', async () => {
    const twin = createWorld(kind);
    const trust = new Trust({ caPem: world.listenerCa, crlPem: crlsOf(twin, [leaf.certificate]) });
    expect(trust.refusal(await peer(), before, now)).toBeUndefined();
  });

  it('refuses a certificate whose agency is gone from the CAs, and one whose chain is another', async () => {
    const chain = createChain({ kind, chainName: 'chain', ...VALID });
    const bankA = createAgency(chain, 'bank-a', VALID);
    for (const caPem of [listenerCaPem(chain, [bankA]), chain.certPem, bankA.certPem]) {
      expect(new Trust({ caPem }).refusal(await peer(), before, now)).toBe('untrusted-certificate');
    }
    // The chain alone is enough: the agency leads to it.
    expect(new Trust({ caPem: world.chain.certPem }).refusal(await peer(), before, now)).toBeUndefined();
  });

  it('refuses a certificate whose time has passed meanwhile', async () => {
    const after = new Date(VALID.notAfter.getTime() + 1_000);
    expect(new Trust({ caPem: world.listenerCa }).refusal(await peer(), before, after)).toBe('expired-certificate');
  });

  it('keeps one whose agency is not known here only while the CAs are the same', async () => {
    const unknown = { ...(await peer()), issuer: undefined };
    expect(new Trust({ caPem: world.listenerCa }).refusal(unknown, before, now)).toBeUndefined();
    expect(new Trust({ caPem: world.chain.certPem }).refusal(unknown, before, now)).toBe('untrusted-certificate');
  });
});
