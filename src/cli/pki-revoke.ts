import type { Act } from './act.js';
import { parseDays } from './arguments.js';
import { ExitCode } from './exit-codes.js';
import { addPasswordOption, type PasswordOptions, passwordOf } from './keys-password.js';
import { note, write, writeJson } from './output.js';
import type { Verb } from './verb.js';

interface RevokeOptions extends PasswordOptions {
  readonly serial: readonly string[];
  readonly days: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Sixty days more than the warning that a list is about to end. */
const CRL_DAYS = 90;

export function addPkiRevokeCommand(pki: Verb, act: Act): void {
  const command = pki
    .command('revoke')
    .summary('revoke certificates: write the revocation list of a CA')
    .description(
      'Adds certificates to the revocation list of the CA that issued them, crl.pem in its folder, and renews it.',
    )
    .argument('<folder>', 'folder of the agency or of the chain CA')
    .argument('[certificate...]', 'files of the certificates to revoke')
    .option('--serial <hex>', 'serial number to revoke, may be repeated', collect, [])
    .option('--days <n>', 'days until the list must be renewed', parseDays, CRL_DAYS)
    .option('--json', 'one JSON object')
    .option('-q, --quiet', 'no remarks on standard error, only errors');
  addPasswordOption(command)
    .note(
      'A relay needs one file with the current list of every CA of the chain: ' +
        'cat chain/crl.pem bank-a/crl.pem > crl.pem',
    )
    .example('amop pki revoke bank-a bank-a/app-1/sdk.crt', 'adds a certificate to bank-a/crl.pem')
    .example('amop pki revoke chain', 'makes or renews the list, adds nothing')
    .example(
      'amop pki revoke bank-a --serial 4d1f9c02ab8e3f60',
      'when the certificate is lost; amop pki show prints serial numbers',
    )
    .action((folder: string, certificates: string[], options: RevokeOptions) =>
      act(() => run(folder, certificates, options), options.json),
    );
}

async function run(folder: string, certificates: readonly string[], options: RevokeOptions): Promise<number> {
  const { revoke } = await import('../pki/revoke.js');
  const done = await revoke({
    directory: folder,
    certificates,
    serials: options.serial,
    days: options.days,
    now: new Date(),
    askPassword: (name) => passwordOf(name, options),
  });
  if (options.json) {
    await writeJson(done);
    return ExitCode.ok;
  }
  await write(`wrote ${done.path}: ${done.count} revoked, ${done.added.length} of them new
  list number ${done.number}, to be renewed before ${done.nextUpdate.toISOString()}
`);
  if (!options.quiet)
    note('amop: give it to every relay that lets this CA in, together with the lists of the other CAs');
  return ExitCode.ok;
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
