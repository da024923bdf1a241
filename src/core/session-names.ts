/**
 * Sessions as the configuration names them: by the SHA-256 of their certificate, or as "organisation/CN". A bare CN would be
 * anybody's whose agency issues it.
 */
export interface NamedSession {
  /** SHA-256 of its certificate, 64 lower-case hex digits. */
  readonly certificateDigest: string;
  readonly organisation: string;
  readonly subject: string;
}

export class SessionNames {
  readonly #names: ReadonlySet<string>;

  constructor(names: readonly string[]) {
    this.#names = new Set(names.map((name) => (DIGEST.test(name) ? name.toLowerCase() : name)));
  }

  /** Is it one of them? The first slash of a name ends the organisation, so one that has a slash cannot be named. */
  has({ certificateDigest, organisation, subject }: NamedSession): boolean {
    return (
      this.#names.has(certificateDigest) ||
      (!organisation.includes('/') && this.#names.has(`${organisation}/${subject}`))
    );
  }
}

const DIGEST = /^[0-9a-f]{64}$/i;
