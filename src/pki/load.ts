/**
 * Loads and checks everything a TLS endpoint presents, before a listener opens or a connection is dialled.
 * Reason: a far end that refuses a certificate says nothing or "unknown ca", so each mistake is found here and
 * named with its file.
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { errorText, RelayError } from '../base/errors.js';
import { buildChain, isSelfIssued } from './chain.js';
import { crlIsFrom, type ParsedCrl, parseCrls } from './crl.js';
import { type PemFile, parseCertificates, readPemFile } from './files.js';
import type { IdentityPaths, TlsIdentity } from './identity.js';
import { describeKey, type KeyKind, keyKindOf, loadPrivateKey, nodeIdOf, RSA_BITS_MIN } from './key.js';
import { endpointSecureContextOptions } from './tls-options.js';

/** Long enough for an agency to issue a new certificate and roll it out. */
const EXPIRY_WARNING_MS = 30 * 24 * 3600 * 1000;

const EKU_SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const EKU_CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const EKU_ANY = '2.5.29.37.0';

/** @throws RelayError `config-unreadable`, `certificate-invalid` or `key-invalid`, the first problem found */
export function loadListenerIdentity(paths: IdentityPaths, now: Date): TlsIdentity {
  return loadIdentity(paths, now, 'listener');
}

/** The same checks for the side that dials. @throws RelayError as loadListenerIdentity */
export function loadClientIdentity(paths: IdentityPaths, now: Date): TlsIdentity {
  return loadIdentity(paths, now, 'client');
}

function loadIdentity(paths: IdentityPaths, now: Date, use: 'listener' | 'client'): TlsIdentity {
  const certFile = readPemFile(paths.cert, 'cert');
  const keyFile = readPemFile(paths.key, 'key');
  const caFile = readPemFile(paths.caCert, 'ca_cert');
  const [leaf, ...others] = parseCertificates(certFile);
  const key = loadPrivateKey(keyFile.text, `key file ${keyFile.path}`, paths.passphrase);
  const authorities = parseCertificates(caFile);
  const kind = checkLeaf(leaf, certFile);
  if (!leaf.checkPrivateKey(key)) throw keyMismatch(key, leaf, others, keyFile, certFile);

  const chain = checkChain(leaf, others, authorities, certFile, caFile);
  for (const [index, one] of chain.entries()) checkValidity(one, now, index === 0 ? certFile : undefined, caFile);
  const between = chain.slice(1, -1);
  const listed = new Set(authorities.map((one) => one.fingerprint256));
  const warnings: string[] = [];
  warnAboutKeyFile(keyFile, warnings);
  warnAboutChain(chain, kind, use, certFile, now, warnings);
  const identity: TlsIdentity = {
    kind,
    certPem: [leaf, ...between].map(String).join(''),
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    caPem: [...authorities, ...between.filter((one) => !listed.has(one.fingerprint256))].map(String).join(''),
    crlPem: paths.crl === undefined ? undefined : checkCrls(paths.crl, chain, authorities, now, warnings),
    leaf,
    nodeId: nodeIdOf(leaf.publicKey),
    notAfter: new Date(Math.min(...chain.map((one) => Date.parse(one.validTo)))),
    warnings,
  };
  try {
    tls.createSecureContext(endpointSecureContextOptions(identity));
  } catch (error) {
    throw new RelayError('certificate-invalid', `${at(certFile)} is refused by OpenSSL: ${errorText(error)}`, error);
  }
  return identity;
}

function at(file: PemFile): string {
  return `${file.setting} file ${file.path}`;
}

/** Subject on one line, as people write it: `CN=relay, O=fisco-bcos, OU=node`. */
function subjectOf(certificate: X509Certificate): string {
  return `"${certificate.subject.replaceAll('\n', ', ')}"`;
}

function checkLeaf(leaf: X509Certificate, file: PemFile): 'secp256k1' | 'rsa' {
  const fail = (what: string) => new RelayError('certificate-invalid', `${at(file)}: ${subjectOf(leaf)} ${what}`);
  if (leaf.ca) {
    throw fail('is a CA certificate; the first certificate of the file must be the leaf, followed by its agency');
  }
  const kind: KeyKind | undefined = keyKindOf(leaf.publicKey);
  if (kind !== 'secp256k1' && kind !== 'rsa') {
    const words = describeKey(leaf.publicKey);
    throw fail(`has a key on ${words.replace(/^the curve/, 'the unsupported curve')}; use secp256k1 or RSA`);
  }
  if (kind === 'rsa' && (leaf.publicKey.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN) {
    throw fail(`has a key of ${describeKey(leaf.publicKey)}; at least ${RSA_BITS_MIN} are needed`);
  }
  return kind;
}

function keyMismatch(
  key: KeyObject,
  leaf: X509Certificate,
  others: readonly X509Certificate[],
  keyFile: PemFile,
  certFile: PemFile,
): RelayError {
  const other = others.find((one) => one.checkPrivateKey(key));
  const hint =
    other === undefined
      ? 'use the key that the certificate was requested with'
      : `it belongs to ${subjectOf(other)} further down in that file; put that certificate first`;
  return new RelayError(
    'key-invalid',
    `${at(keyFile)} is not the key of ${subjectOf(leaf)} in ${certFile.path}; ${hint}`,
  );
}

function checkValidity(certificate: X509Certificate, now: Date, certFile: PemFile | undefined, caFile: PemFile): void {
  const where = `${at(certFile ?? caFile)}: ${subjectOf(certificate)}`;
  if (now.getTime() > Date.parse(certificate.validTo)) {
    throw new RelayError(
      'certificate-invalid',
      `${where} expired on ${new Date(certificate.validTo).toISOString()}; have it renewed`,
    );
  }
  if (now.getTime() < Date.parse(certificate.validFrom)) {
    throw new RelayError(
      'certificate-invalid',
      `${where} is not valid before ${new Date(certificate.validFrom).toISOString()}; it is now ${now.toISOString()}: check the clock`,
    );
  }
}

function checkChain(
  leaf: X509Certificate,
  others: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  certFile: PemFile,
  caFile: PemFile,
): readonly X509Certificate[] {
  const found = buildChain(leaf, others, authorities);
  if (found.ok) return found.path;
  const { missing } = found;
  if (isSelfIssued(missing)) {
    throw new RelayError(
      'certificate-invalid',
      missing === leaf
        ? `${at(certFile)}: ${subjectOf(leaf)} is self-signed and not in ${caFile.path}; use a certificate of your agency`
        : `${at(certFile)} leads to ${subjectOf(missing)}, which is not in ${at(caFile)}; is it the CA of another chain?`,
    );
  }
  const issuer = `"${missing.issuer.replaceAll('\n', ', ')}"`;
  const sameName = [...others, ...authorities].some((one) => one.subject === missing.issuer);
  const what = sameName
    ? `${subjectOf(missing)} is not signed by the certificate ${issuer} at hand, which has the name but another key; ` +
      `${caFile.path} is from another chain`
    : missing === leaf
      ? `its issuer ${issuer} is neither behind it nor in ${at(caFile)}; put the certificate of the agency behind the leaf`
      : `${issuer}, which issued ${subjectOf(missing)}, is not in ${at(caFile)}; that file is of another chain, ` +
        'or lacks the self-signed chain CA';
  throw new RelayError('certificate-invalid', `${at(certFile)}: ${what}`);
}

function checkCrls(
  path: string,
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  now: Date,
  warnings: string[],
): string {
  const file = readPemFile(path, 'crl');
  const fail = (what: string, cause?: unknown) => new RelayError('certificate-invalid', `${at(file)} ${what}`, cause);
  let crls: ParsedCrl[];
  try {
    crls = parseCrls(file.text);
  } catch (error) {
    throw fail(`holds a list that cannot be parsed (${errorText(error)})`, error);
  }
  if (crls.length === 0) throw fail('is not PEM: no "-----BEGIN X509 CRL-----" in it');
  const unique = new Map([...chain.slice(1), ...authorities].map((one) => [one.fingerprint256, one]));
  for (const authority of unique.values()) {
    const own = crls.filter((crl) => crlIsFrom(crl, authority));
    if (own.length === 0) {
      throw fail(
        `has no list signed by ${subjectOf(authority)}; one for every CA of the chain is needed, ` +
          'because without it every certificate of that CA is refused',
      );
    }
    const until = Math.max(...own.map((crl) => crl.nextUpdate?.getTime() ?? Number.POSITIVE_INFINITY));
    if (until < now.getTime()) {
      throw fail(
        `has a list of ${subjectOf(authority)} that ended on ${new Date(until).toISOString()}; ` +
          'fetch the current one, because with this one every certificate of that CA is refused',
      );
    }
    if (until - now.getTime() < EXPIRY_WARNING_MS) {
      warnings.push(`${at(file)}: the list of ${subjectOf(authority)} ends on ${new Date(until).toISOString()}`);
    }
  }
  return crls.map((crl) => crl.pem).join('');
}

function warnAboutKeyFile(file: PemFile, warnings: string[]): void {
  if ((file.mode & 0o077) === 0) return;
  warnings.push(`${at(file)} can be read by others (mode 0${file.mode.toString(8)}); chmod 600 it`);
}

function warnAboutChain(
  chain: readonly X509Certificate[],
  kind: KeyKind,
  use: 'listener' | 'client',
  file: PemFile,
  now: Date,
  warnings: string[],
): void {
  const odd = chain.find((one) => keyKindOf(one.publicKey) !== kind);
  if (odd !== undefined) {
    warnings.push(
      `${at(file)}: ${subjectOf(odd)} has a key on ${describeKey(odd.publicKey)} above a leaf of kind ${kind}; ` +
        'some clients (JDK 17 for example) cannot verify a mixed chain',
    );
  }
  // X509Certificate.keyUsage is the *extended* key usage.
  const usages = chain[0].keyUsage;
  const wanted = use === 'listener' ? EKU_SERVER_AUTH : EKU_CLIENT_AUTH;
  if (usages !== undefined && !usages.includes(wanted) && !usages.includes(EKU_ANY)) {
    const name = use === 'listener' ? 'serverAuth' : 'clientAuth';
    warnings.push(`${at(file)}: the extended key usage of ${subjectOf(chain[0])} lacks ${name}; peers may refuse it`);
  }
  for (const one of chain) {
    const until = Date.parse(one.validTo);
    if (until - now.getTime() < EXPIRY_WARNING_MS) {
      warnings.push(`${at(file)}: ${subjectOf(one)} expires on ${new Date(until).toISOString()}; have it renewed`);
    }
  }
}
