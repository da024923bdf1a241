/** `pki init`, `org`, `relay` and `sdk`: one folder each, made or renewed. */
import { Option } from 'commander';
import type { Issued, IssueRequest } from '../pki/issue.js';
import type { Act } from './act.js';
import { parseDays } from './arguments.js';
import { ExitCode } from './exit-codes.js';
import {
  addNewPasswordOption,
  addPasswordOption,
  newPasswordFor,
  type PasswordOptions,
  passwordOf,
} from './keys-password.js';
import { note, printable, write, writeJson } from './output.js';
import type { Example, Verb } from './verb.js';

/** Twenty, ten and three years: each outlives what it issues by some renewals. */
const CHAIN_DAYS = 7_300;
const AGENCY_DAYS = 3_650;
const LEAF_DAYS = 1_095;

interface MakeOptions extends PasswordOptions {
  readonly name?: string;
  readonly days: number;
  readonly renew?: boolean;
  readonly overwrite?: boolean;
  readonly encrypt?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addPkiInitCommand(pki: Verb, act: Act): void {
  const command = pki
    .command('init')
    .summary('make the CA of a chain')
    .description(
      'Makes the CA of a chain, ca.crt and ca.key. A chain has one kind of key; make one chain for each kind.',
    )
    .argument('<folder>', 'where it goes')
    .addOption(
      new Option('--kind <kind>', 'kind of all keys below it')
        .choices(['secp256k1', 'rsa'])
        .default('secp256k1')
        .conflicts('renew'),
    );
  addMakeOptions(command, CHAIN_DAYS, true)
    .example('amop pki init chain', 'secp256k1, for relays and their peers')
    .example('amop pki init chain-rsa --kind rsa', 'for Java SDKs on the TLS of a JDK from 16 on')
    .example('amop pki init locked --encrypt --new-password-file password.txt', 'ca.key with a password')
    .action((folder: string, options: MakeOptions & { kind: 'secp256k1' | 'rsa' }) =>
      act(async () => {
        const { issueChain } = await import('../pki/issue.js');
        const request = await requestOf(folder, 'ca.key', options);
        return report(folder, await issueChain({ ...request, kind: options.kind }), options);
      }, options.json),
    );
}

export function addPkiOrgCommand(pki: Verb, act: Act): void {
  const command = pki
    .command('org')
    .summary('make the agency of an organisation')
    .description('Makes the agency of an organisation, agency.crt and agency.key, issued by the CA of a chain.')
    .argument('<folder>', 'where it goes')
    .requiredOption('--chain <folder>', 'folder with ca.crt and ca.key');
  addMakeOptions(command, AGENCY_DAYS, true)
    .example('amop pki org bank-a --chain chain', 'for ten years')
    .example('amop pki org bank-a --chain chain --renew', 'the same key with a new certificate')
    .example('amop pki org bank-b --chain locked --password-file password.txt', 'from a CA whose key has a password')
    .action((folder: string, options: MakeOptions & { chain: string }) =>
      act(async () => {
        const { issueAgency } = await import('../pki/issue.js');
        const request = await requestOf(folder, 'agency.key', options);
        return report(folder, await issueAgency({ ...request, chainDirectory: options.chain }), options);
      }, options.json),
    );
}

export function addPkiRelayCommand(pki: Verb, act: Act): void {
  addLeafCommand(pki, act, 'node', {
    name: 'relay',
    summary: 'make the certificate of a relay',
    description: 'Makes the certificate of a relay, node.crt and node.key, for its channel port and its P2P port.',
    examples: [
      { command: 'amop pki relay bank-a/relay-1 --org bank-a', text: 'for three years' },
      {
        command: 'amop pki relay bank-a/relay-1 --org bank-a --renew',
        text: 'new certificate, same key, same node ID',
      },
    ],
  });
}

export function addPkiSdkCommand(pki: Verb, act: Act): void {
  addLeafCommand(pki, act, 'sdk', {
    name: 'sdk',
    summary: 'make the certificate of an application',
    description: 'Makes the certificate of an application, sdk.crt and sdk.key, as the SDKs and amop --certs read it.',
    examples: [
      { command: 'amop pki sdk bank-a/app-1 --org bank-a', text: 'for three years' },
      { command: 'amop pki sdk bank-a/app-2 --org bank-a --days 90', text: 'for three months' },
    ],
  });
}

interface LeafWords {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly Example[];
}

function addLeafCommand(pki: Verb, act: Act, role: 'node' | 'sdk', words: LeafWords): void {
  const command = pki
    .command(words.name)
    .summary(words.summary)
    .description(words.description)
    .argument('<folder>', 'where it goes')
    .requiredOption('--org <folder>', 'folder with agency.crt and agency.key');
  for (const { command: line, text } of words.examples) command.example(line, text);
  addMakeOptions(command, LEAF_DAYS, false).action((folder: string, options: MakeOptions & { org: string }) =>
    act(async () => {
      const { issueLeaf } = await import('../pki/issue.js');
      const request = await requestOf(folder, `${role}.key`, options);
      return report(folder, await issueLeaf({ ...request, role, agencyDirectory: options.org }), options);
    }, options.json),
  );
}

function addMakeOptions(command: Verb, days: number, mayEncrypt: boolean): Verb {
  command
    .addOption(
      new Option('--name <name>', "common name in the certificate (default: the folder's name)").conflicts('renew'),
    )
    .option('--days <n>', 'days until it ends', parseDays, days)
    .addOption(new Option('--renew', 'new certificate for the key that is there').conflicts('overwrite'))
    .option('--overwrite', 'new key and new certificate in place of those that are there')
    .option('--json', 'one JSON object')
    .option('-q, --quiet', 'no remarks on standard error, only errors');
  addPasswordOption(command);
  return mayEncrypt
    ? addNewPasswordOption(
        command.addOption(
          new Option('--encrypt', 'write the private key encrypted with a password').conflicts('renew'),
        ),
      )
    : command;
}

async function requestOf(directory: string, keyName: string, options: MakeOptions): Promise<IssueRequest> {
  return {
    directory,
    name: options.name,
    days: options.days,
    now: new Date(),
    renew: options.renew ?? false,
    overwrite: options.overwrite ?? false,
    askPassword: (name) => passwordOf(name, options),
    newPassword: options.encrypt ? await newPasswordFor(`${directory}/${keyName}`, options) : undefined,
  };
}

async function report(folder: string, issued: Issued, options: MakeOptions): Promise<number> {
  const { certificate, previous, nodeId, files, notes } = issued;
  const notAfter = new Date(certificate.validTo).toISOString();
  const previousEnd = previous === undefined ? undefined : new Date(previous.validTo).toISOString();
  if (options.json) {
    await writeJson({
      folder,
      files,
      subject: certificate.subject.replaceAll('\n', ', '),
      nodeId,
      notAfter,
      renewed: previousEnd,
      notes,
    });
    return ExitCode.ok;
  }
  const name = printable(certificate.subject.replaceAll('\n', ', '));
  await write(`${previous === undefined ? 'made' : 'renewed'} ${folder}: ${name}
  valid until ${notAfter}${previousEnd === undefined ? '' : `, before until ${previousEnd}`}
${nodeId === undefined ? '' : `  node ID ${nodeId}\n`}  files ${files.join(', ')}
`);
  if (!options.quiet) for (const one of notes) note(`amop: ${one}`);
  return ExitCode.ok;
}
