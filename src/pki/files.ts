/** Reads configured PEM files, bounded, with error texts that name the setting, the file and the remedy. */
import { X509Certificate } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { errorText, RelayError } from '../base/errors.js';
import { isCertificateBlock, isPrivateKeyBlock, splitPem } from './pem.js';

/** A revocation list of 100,000 entries is about 5 MiB; keys and certificates are a few KiB. */
const PEM_FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Certificates in one file: a list of agencies is tens. */
const CERTIFICATES_PER_FILE_MAX = 1024;

export interface PemFile {
  readonly path: string;
  /** The setting that named it, for error texts: `key`, `cert`, `ca_cert`, `crl`. */
  readonly setting: string;
  readonly text: string;
  /** Permission bits, 0 where the platform has none. */
  readonly mode: number;
}

/** @throws RelayError `config-unreadable` */
export function readPemFile(path: string, setting: string): PemFile {
  const fail = (what: string, cause?: unknown) =>
    new RelayError('config-unreadable', `${setting} file ${path} ${what}`, cause);
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw fail(describeOpenFailure(error), error);
  }
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw fail('is a directory; name the PEM file in it');
    if (!stat.isFile()) throw fail('is not a regular file');
    if (stat.size > PEM_FILE_BYTES_MAX) throw fail(`is larger than ${PEM_FILE_BYTES_MAX} bytes, too large for PEM`);
    // latin1 keeps every byte, so that DER is recognised for what it is.
    const text = readFileSync(fd, 'latin1');
    return { path, setting, text, mode: process.platform === 'win32' ? 0 : stat.mode & 0o777 };
  } catch (error) {
    throw error instanceof RelayError ? error : fail(`cannot be read: ${errorText(error)}`, error);
  } finally {
    closeSync(fd);
  }
}

function describeOpenFailure(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'does not exist; check the path (relative paths start at the working directory of the process)';
    case 'EACCES':
    case 'EPERM':
      return `may not be read by this process${process.getuid === undefined ? '' : ` (uid ${process.getuid()})`}; change its owner or mode`;
    default:
      return `cannot be opened: ${errorText(error)}`;
  }
}

/**
 * Every certificate of a file in its order, at least one.
 *
 * @throws RelayError `certificate-invalid`
 */
export function parseCertificates(file: PemFile): X509Certificate[] {
  const fail = (what: string, cause?: unknown) =>
    new RelayError('certificate-invalid', `${file.setting} file ${file.path} ${what}`, cause);
  const all = splitPem(file.text);
  const blocks = all.filter(isCertificateBlock);
  if (blocks.length === 0) {
    if (all.some(isPrivateKeyBlock)) throw fail('holds a private key, not a certificate; are key and cert swapped?');
    if (all.length > 0) throw fail(`holds a PEM block "${all[0].label}", not a certificate`);
    if (file.text.charCodeAt(0) === 0x30) throw fail('is not PEM; it looks like DER, convert it to PEM');
    throw fail('is not PEM: no "-----BEGIN CERTIFICATE-----" in it');
  }
  if (blocks.length > CERTIFICATES_PER_FILE_MAX) {
    throw fail(`holds ${blocks.length} certificates, more than ${CERTIFICATES_PER_FILE_MAX}`);
  }
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block.pem);
    } catch (error) {
      throw fail(`: certificate ${index + 1} of ${blocks.length} cannot be parsed (${errorText(error)})`, error);
    }
  });
}
