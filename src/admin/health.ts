/**
 * `/healthz` asks whether the process should be restarted, `/readyz` whether clients should be sent here. Neither depends
 * on peers: a lost peer must not take a relay out of service that still joins its own clients.
 */

export interface CertificateExpiry {
  /** Whose certificate: the key path of its listener. */
  readonly role: string;
  /** Unix time. */
  readonly notAfterSeconds: number;
}

export interface HealthSources {
  /** Why the relay can no longer serve, such as a shard that ended. */
  readonly dead: () => string | undefined;
  readonly draining: () => boolean;
  /** Listeners that accept connections. */
  readonly listeners: () => number;
  readonly certificates: () => readonly CertificateExpiry[];
  /** Wall time in milliseconds since 1970. */
  readonly now: () => number;
}

/** `code` is API, `message` is for people. */
export interface HealthReason {
  readonly code: 'dead' | 'draining' | 'no-listener' | 'no-certificate' | 'certificate-expired';
  readonly message: string;
}

export interface HealthReport {
  readonly status: 'ok' | 'unavailable';
  /** Empty when the status is ok. */
  readonly reasons: readonly HealthReason[];
}

export interface Health {
  live(): HealthReport;
  ready(): HealthReport;
}

export function createHealth(sources: HealthSources): Health {
  const deaths = (): HealthReason[] => {
    const why = sources.dead();
    return why === undefined ? [] : [{ code: 'dead', message: why }];
  };
  return {
    live: () => report(deaths()),
    ready() {
      const reasons = deaths();
      if (sources.draining()) {
        reasons.push({ code: 'draining', message: 'the relay is finishing its requests and takes no new connections' });
      }
      if (sources.listeners() === 0) reasons.push({ code: 'no-listener', message: 'no listener accepts connections' });
      reasons.push(...certificateReasons(sources.certificates(), sources.now()));
      return report(reasons);
    },
  };
}

function certificateReasons(certificates: readonly CertificateExpiry[], nowMs: number): HealthReason[] {
  if (certificates.length === 0) return [{ code: 'no-certificate', message: 'no certificate is loaded' }];
  return certificates
    .filter(({ notAfterSeconds }) => notAfterSeconds * 1000 <= nowMs)
    .map(({ role, notAfterSeconds }) => ({
      code: 'certificate-expired',
      message: `the certificate of ${role} expired at ${new Date(notAfterSeconds * 1000).toISOString()}; renew it and restart`,
    }));
}

function report(reasons: readonly HealthReason[]): HealthReport {
  return { status: reasons.length === 0 ? 'ok' : 'unavailable', reasons };
}
