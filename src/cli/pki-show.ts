import type { FileDescription } from '../pki/describe.js';
import type { Act } from './act.js';
import { ExitCode } from './exit-codes.js';
import { printable, write, writeJson } from './output.js';
import type { Verb } from './verb.js';

interface ShowOptions {
  readonly json?: boolean;
}

const DAY_MS = 86_400_000;

export function addPkiShowCommand(pki: Verb, act: Act): void {
  pki
    .command('show')
    .summary('what certificate and key files hold')
    .description(
      'Shows subject, issuer, kind, node ID, validity and fingerprints of certificates, keys and revocation lists.',
    )
    .argument('<path...>', 'files, or folders of .crt, .key, .pem and .crl files')
    .option('--json', 'one JSON object for each file')
    .example('amop pki show bank-a/relay-1', 'everything in a folder')
    .example('amop pki show conf/sdk.crt conf/ca.crt', 'two files')
    .example('amop pki show bank-a/relay-1 --json', 'one JSON object a line')
    .action((paths: string[], options: ShowOptions) => act(() => show(paths, options), options.json));
}

async function show(paths: readonly string[], options: ShowOptions): Promise<number> {
  const { describePath } = await import('../pki/describe.js');
  const files = paths.flatMap((path) => describePath(path));
  const now = new Date();
  for (const file of files) {
    if (options.json) await writeJson(file);
    else
      await write(
        `${printable(file.path)}\n${linesOf(file, now)
          .map((line) => (line === '' ? '\n' : `  ${printable(line)}\n`))
          .join('')}\n`,
      );
  }
  return files.some(({ problem }) => problem !== undefined) ? ExitCode.usage : ExitCode.ok;
}

function linesOf(file: FileDescription, now: Date): string[] {
  if (file.problem !== undefined) return [`problem      ${file.problem}`];
  return file.contents.flatMap((one, index) => [...(index === 0 ? [] : ['']), ...contentLines(one, now)]);
}

function contentLines(one: FileDescription['contents'][number], now: Date): string[] {
  switch (one.what) {
    case 'certificate':
      return [
        `certificate  ${one.role}`,
        `subject      ${one.subject}`,
        `issuer       ${one.issuer}`,
        `key          ${plainKey(one.key)}`,
        ...(one.nodeId !== undefined && one.basicConstraints && !one.role.endsWith('CA')
          ? [`node ID      ${one.nodeId}`]
          : []),
        `valid        ${one.notBefore.toISOString()} to ${one.notAfter.toISOString()}, ${lifeText(one.notBefore, one.notAfter, now)}`,
        `serial       ${one.serial}`,
        `SHA-256      ${one.sha256}`,
        `key SHA-256  ${one.keySha256}`,
        ...(one.basicConstraints ? [] : ['note         has no basicConstraints: a node takes no node ID from it']),
      ];
    case 'private key':
      return [
        `private key  ${one.form}${one.encrypted ? ', encrypted' : ''}${modeText(one.mode)}`,
        ...(one.key === undefined ? [] : [`key          ${plainKey(one.key)}`]),
        ...(one.nodeId === undefined ? [] : [`node ID      ${one.nodeId}`]),
        ...(one.keySha256 === undefined ? [] : [`key SHA-256  ${one.keySha256}`]),
      ];
    case 'revocation list':
      return [
        `revocations  ${one.revoked}`,
        `issuer       ${one.issuer}`,
        `valid        ${one.thisUpdate.toISOString()} to ${one.nextUpdate?.toISOString() ?? 'no end'}`,
      ];
  }
}

function plainKey(key: string): string {
  return key.replace(/^the curve /, '');
}

function modeText(mode: number): string {
  if (mode === 0) return '';
  return `, mode 0${mode.toString(8)}${(mode & 0o077) === 0 ? '' : ' (others can read it: chmod 600)'}`;
}

function lifeText(notBefore: Date, notAfter: Date, now: Date): string {
  if (now < notBefore) return 'not yet valid';
  const days = Math.floor((notAfter.getTime() - now.getTime()) / DAY_MS);
  return days < 0 ? 'expired' : `${days} ${days === 1 ? 'day' : 'days'} left`;
}
