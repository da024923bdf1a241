/**
 * Which organisation a certificate belongs to (decisions §7): the public key of its issuer, shown as the issuer's CN, unless
 * the configuration joins several issuers under a name.
 */
import type { PeerDescription } from '../pki/peer.js';
import type { Organisation } from './messages.js';

export interface OrganisationOf {
  readonly id: string;
  readonly name: string;
}

/** All whose agency could not be found together; Node 24 does not show a listener the chain that a client sent. */
const UNKNOWN: OrganisationOf = { id: 'unknown', name: 'unknown' };

export class Organisations {
  readonly #byIssuer = new Map<string, OrganisationOf>();

  constructor(organisations: readonly Organisation[]) {
    for (const { name, issuerIds } of organisations) {
      // No issuer's id has a colon, so a name cannot be taken for one.
      for (const issuer of issuerIds) this.#byIssuer.set(issuer, { id: `name:${name}`, name });
    }
  }

  of({ organisationId, issuerCn }: Pick<PeerDescription, 'organisationId' | 'issuerCn'>): OrganisationOf {
    if (organisationId === undefined) return UNKNOWN;
    return this.#byIssuer.get(organisationId) ?? { id: organisationId, name: issuerCn };
  }
}
