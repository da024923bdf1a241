import { describe, expect, it } from 'vitest';
import { TLS_FAILURES } from '../../../src/base/close-reason.js';
import { P2P_CLOSE_REASONS, type P2PCloseReason } from '../../../src/base/p2p-close-reason.js';
import { explainPeerRefusal, explainPeerTlsFailure, SILENT_PEER_HINT } from '../../../src/pki/peer-explain.js';
import { serverTlsOptions } from '../../../src/pki/tls-options.js';
import {
  connectOnce,
  createWorld,
  crlsOf,
  dialPlain,
  EXPIRED,
  handshake,
  NOT_YET,
  type Outcome,
  relayOf,
  sdkOf,
  VALID,
} from './world.js';

const details = { kind: 'secp256k1' } as const;

/** The words for what a real handshake came to. */
function explained({ failure, codes }: Outcome): string {
  expect(failure).toBeDefined();
  return failure === undefined ? '' : explainPeerTlsFailure(failure, { ...details, ...codes });
}

describe('a failed handshake on the P2P port', () => {
  it.each(TLS_FAILURES)('of kind %s is explained in one sentence or two', (failure) => {
    const words = explainPeerTlsFailure(failure, details);
    expect(words.length).toBeGreaterThan(20);
    expect(words).not.toMatch(/undefined|\[object|\n/);
  });

  it.each([
    ['no-certificate', {}, ['the peer sent no certificate', 'channel port']],
    ['untrusted-certificate', {}, ['network_security.ca_cert', '(unverified)']],
    ['untrusted-certificate', { code: 'CODE' }, ['(CODE)']],
    [
      'untrusted-certificate',
      { code: 'CODE', verification: 'SELF_SIGNED_CERT_IN_CHAIN' },
      ['(SELF_SIGNED_CERT_IN_CHAIN)'],
    ],
    ['untrusted-certificate', { verification: 'UNABLE_TO_GET_CRL' }, ['p2p.crl', 'UNABLE_TO_GET_CRL', 'for every CA']],
    ['expired-certificate', { verification: 'CERT_HAS_EXPIRED' }, ['has expired', 'renewed']],
    ['expired-certificate', { verification: 'CERT_NOT_YET_VALID' }, ['not valid yet', 'clocks']],
    ['revoked-certificate', {}, ['revoked', 'p2p.crl']],
    ['no-common-curve-or-cipher', {}, ['secp256k1', 'ECDHE-ECDSA']],
    ['protocol-version', {}, ['TLS 1.2']],
    ['client-refused-our-certificate', {}, ['the peer refused our certificate:', 'network_security.cert']],
    [
      'client-refused-our-certificate',
      { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' },
      ['the peer refused our certificate ("unknown ca")'],
    ],
  ] as const)('of kind %s with %j names what to look at', (failure, codes, words) => {
    const text = explainPeerTlsFailure(failure, { ...details, ...codes });
    for (const word of words) expect(text).toContain(word);
    // A peer has no sdk.crt, and no listener's ca_cert is meant.
    expect(text).not.toMatch(/sdk\.crt|\bclient\b/);
  });

  const world = createWorld('secp256k1');

  it('names expiry, the clock, the CA and the list of a real certificate', async () => {
    const relay = relayOf(world);
    expect(explained(await handshake(relay, sdkOf(world, EXPIRED)))).toContain('has expired');
    expect(explained(await handshake(relay, sdkOf(world, NOT_YET)))).toContain('not valid yet');
    const revoked = sdkOf(world);
    const checking = relayOf(world, crlsOf(world, [revoked.leaf]));
    expect(explained(await handshake(checking, revoked))).toContain('revoked by its CA (p2p.crl)');
    const outdated = relayOf(world, crlsOf(world, [], EXPIRED));
    expect(explained(await handshake(outdated, sdkOf(world)))).toContain('against p2p.crl (CRL_HAS_EXPIRED)');
  });

  it('tells one that shows no certificate from one of another chain', async () => {
    const server = serverTlsOptions(relayOf(world));
    const { caPem: ca, certPem: cert, keyPem: key } = sdkOf(createWorld('secp256k1'), VALID);
    const ecdhCurve = 'P-256:secp256k1';
    const bare = await connectOnce(server, dialPlain({ ca: world.chain.certPem, ecdhCurve }));
    expect(explained(bare)).toContain('the peer sent no certificate');
    const foreign = await connectOnce(server, dialPlain({ ca: world.chain.certPem, cert, key, ecdhCurve }));
    expect(explained(foreign)).toContain('does not lead to network_security.ca_cert');
    const refused = await connectOnce(server, dialPlain({ ca, cert, key, ecdhCurve }));
    expect(explained(refused)).toMatch(/another chain/);
  });
});

describe('a link with a verified certificate that was closed', () => {
  it.each([
    ['no-node-id', 'secp256k1', ['basicConstraints', 'CA:FALSE']],
    ['no-node-id', 'rsa', ['a key of kind rsa', 'secp256k1']],
    ['self', 'secp256k1', ['our own key', 'network_security.key']],
    ['blacklisted', 'secp256k1', ['certificate_blacklist.ids', 'wins over the white list']],
    ['not-whitelisted', 'secp256k1', ['certificate_whitelist.ids']],
    ['sdk-certificate', 'secp256k1', ['OU=sdk', 'p2p.allow_sdk_certificates']],
    ['duplicate-peer', 'secp256k1', ['same node ID', 'must not share one key']],
    ['peers-max', 'secp256k1', ['limits.peers_max']],
    ['queue-full', 'secp256k1', ['limits.slow_consumer_timeout_ms']],
  ] as const)('as %s with a key of kind %s is explained by the setting it is about', (reason, keyKind, words) => {
    const text = explainPeerRefusal(reason, keyKind);
    for (const word of words) expect(text).toContain(word);
  });

  it('needs no words where the reason says it all', () => {
    const plain = P2P_CLOSE_REASONS.filter((reason) => explainPeerRefusal(reason, 'secp256k1') === undefined);
    const wanted: P2PCloseReason[] = [
      'peer-closed',
      'connection-lost',
      'replaced',
      'idle',
      'frame-too-short',
      'frame-too-long',
      'frame-stalled',
      'protocol-hello',
      'protocol-compression',
      'draining',
      'internal-error',
    ];
    expect(plain).toEqual(wanted);
  });

  it('without a frame probably refused us', () => {
    expect(SILENT_PEER_HINT).toContain('probably it refused us');
    expect(SILENT_PEER_HINT).toContain('its log knows');
  });
});
