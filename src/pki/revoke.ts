/**
 * The revocation list of a CA: `crl.pem` in its folder. A new list keeps what stood in the old one, gets the next number,
 * and is signed anew, also when nothing was added: a list that ends must be renewed or everybody is refused.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RelayError } from '../base/errors.js';
import { type AskPassword, openAuthority, subjectOf } from './authority-folder.js';
import { issuerFrom } from './certificate.js';
import { isIssuedBy } from './chain.js';
import { crlIsFrom, issueCrl, numberOf, type ParsedCrl, parseCrls, revokedOf } from './crl.js';
import { parseCertificates, readPemFile } from './files.js';
import { writeFiles } from './write-files.js';

const DAY_MS = 86_400_000;
const BACKDATE_MS = 3_600_000;
/** RFC 5280: at most 20 bytes. */
const SERIAL = /^[0-9a-f]{1,40}$/;

export interface RevokeRequest {
  /** Folder of the CA that issued them. */
  readonly directory: string;
  /** Files whose first certificate is revoked. */
  readonly certificates: readonly string[];
  /** For certificates whose file is lost, hex. */
  readonly serials: readonly string[];
  readonly days: number;
  readonly now: Date;
  readonly askPassword: AskPassword;
}

export interface Revoked {
  readonly path: string;
  /** On the list now. */
  readonly count: number;
  /** Added by this call; a certificate that stood in the list already is not. */
  readonly added: readonly string[];
  readonly number: number;
  readonly nextUpdate: Date;
}

/** @throws RelayError `usage`, `config-unreadable`, `certificate-invalid` or `key-invalid` */
export async function revoke(request: RevokeRequest): Promise<Revoked> {
  const { authority, certPath } = await openAuthority(request.directory, request.now, request.askPassword);
  const path = join(request.directory, 'crl.pem');
  const old = existsSync(path) ? readOwn(path, authority.certificate) : undefined;
  const serials = new Map(old === undefined ? [] : revokedOf(old).map((one) => [one.serialHex, one.at]));
  const added: string[] = [];
  const add = (serialHex: string) => {
    if (serials.has(serialHex)) return;
    serials.set(serialHex, request.now);
    added.push(serialHex);
  };
  for (const file of request.certificates) {
    const [certificate] = parseCertificates(readPemFile(file, 'certificate'));
    if (!isIssuedBy(certificate, authority.certificate)) {
      throw new RelayError(
        'usage',
        `certificate file ${file}: ${subjectOf(certificate)} was not issued by ${certPath}; its own CA must revoke it`,
      );
    }
    add(normalSerial(certificate.serialNumber));
  }
  for (const serial of request.serials) {
    const digits = serial.replace(/^0x/i, '').replaceAll(':', '').toLowerCase();
    if (!SERIAL.test(digits)) throw new RelayError('usage', `"${serial.slice(0, 60)}" is no serial number in hex`);
    add(normalSerial(digits));
  }
  const number = (old === undefined ? 0 : numberOf(old)) + 1;
  const nextUpdate = new Date(request.now.getTime() + request.days * DAY_MS);
  const pem = issueCrl({
    issuer: issuerFrom(authority.certificate, authority.key),
    thisUpdate: new Date(request.now.getTime() - BACKDATE_MS),
    nextUpdate,
    revoked: [...serials].map(([serialHex, at]) => ({ serialHex, at })),
    number,
  });
  writeFiles([{ path, content: pem, secret: false }], true, '');
  return { path, count: serials.size, added, number, nextUpdate };
}

function readOwn(path: string, authority: Parameters<typeof crlIsFrom>[1]): ParsedCrl {
  const lists = parseCrls(readPemFile(path, 'crl').text);
  const own = lists.filter((one) => crlIsFrom(one, authority));
  if (lists.length !== 1 || own.length !== 1) {
    throw new RelayError(
      'usage',
      `${path} is not one list of this CA, and what stands in it would be lost; move it away to begin a new list`,
    );
  }
  return own[0];
}

function normalSerial(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}
