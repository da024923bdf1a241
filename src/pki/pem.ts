/**
 * PEM text to blocks and back. Bounded by the size of the text the caller read; parses labels, never contents.
 */

/** One armoured block: `label` is the word after BEGIN, `pem` the whole block with a final newline. */
export interface PemBlock {
  readonly label: string;
  readonly pem: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----[^-]*(?:-(?!----)[^-]*)*-----END \1-----/g;

/** Labels that certificate tools write; "X509 CERTIFICATE" and "TRUSTED CERTIFICATE" come from old OpenSSL programs. */
const CERTIFICATE_LABELS = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']);

/** All blocks of a text in their order; text between blocks (as `openssl x509 -text` writes it) is ignored. */
export function splitPem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const match of text.matchAll(BLOCK)) blocks.push({ label: match[1], pem: `${match[0]}\n` });
  return blocks;
}

export function isCertificateBlock(block: PemBlock): boolean {
  return CERTIFICATE_LABELS.has(block.label);
}

export function isPrivateKeyBlock(block: PemBlock): boolean {
  return block.label === 'PRIVATE KEY' || block.label.endsWith(' PRIVATE KEY');
}

/** DER bytes as one block, 64 characters a line (RFC 7468). */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
