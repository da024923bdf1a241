import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Option } from 'commander';
import { errorText, RelayError } from '../base/errors.js';
import type { CertificateFiles, ImportResult } from '../config/import.js';
import type { Act } from './act.js';
import { parsePort } from './arguments.js';
import { ExitCode } from './exit-codes.js';
import { addPasswordOption, type PasswordOptions, passwordOf } from './keys-password.js';
import { note, printable, write, writeJson } from './output.js';
import type { Verb } from './verb.js';

interface ImportCommandOptions extends PasswordOptions {
  readonly output?: string;
  readonly org?: string;
  readonly p2pCerts?: string;
  readonly replaceNode?: boolean;
  readonly channelPort?: number;
  readonly p2pPort?: number;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** Three years, as amop pki relay gives. */
const LEAF_DAYS = 1_095;

export function addConfigImportCommand(config: Verb, act: Act): void {
  const command = config
    .command('import')
    .summary("make a relay's configuration from a node's config.ini")
    .description("Makes a relay's configuration from the config.ini and the certificates of an existing 2.x node.")
    .argument('<config.ini>', "the node's configuration")
    .option('-o, --output <file>', 'where relay.toml goes (default: standard output)')
    .addOption(
      new Option('--org <folder>', 'agency that issues a new certificate for the P2P port; needs -o').conflicts([
        'p2pCerts',
        'replaceNode',
      ]),
    )
    .addOption(
      new Option('--p2p-certs <folder>', 'folder with node.crt, node.key and ca.crt for the P2P port').conflicts(
        'replaceNode',
      ),
    )
    .option('--replace-node', 'the relay takes the place of the node, which must not run any more')
    .option('--channel-port <port>', "channel port, instead of the node's", parsePort)
    .option('--p2p-port <port>', "P2P port, instead of the node's", parsePort)
    .option('--overwrite', 'replace a file that is there')
    .option('--json', 'what was carried over and what not as one JSON object');
  addPasswordOption(command)
    .note(
      "The node's own key serves the channel port only: peers refuse two nodes with one ID. So the P2P port needs a " +
        'certificate of its own: --org makes one, --p2p-certs takes one that is there, and without both the relay has no P2P ' +
        "port. A relay that takes the node's place keeps its key and node ID with --replace-node.",
    )
    .note(
      'Every key that is not carried over is named with the reason. The result passes amop config check, or nothing is ' +
        'written.',
    )
    .example('amop config import node0/config.ini', 'to standard output, without a P2P port')
    .example(
      'amop config import node0/config.ini --org agency -o relay/relay.toml --channel-port 20210 --p2p-port 30310',
      'beside the node, with a certificate of its own in relay/p2p',
    )
    .example('amop config import node0/config.ini --p2p-certs relay/p2p', 'with that certificate')
    .example('amop config import node0/config.ini --replace-node -o replaced/relay.toml', 'in place of the node')
    .action((file: string, options: ImportCommandOptions) => act(() => run(file, options), options.json));
}

async function run(file: string, options: ImportCommandOptions): Promise<number> {
  const { importConfig, INI_BYTES_MAX } = await import('../config/import.js');
  const { writeFiles, makeFolderOf } = await import('../pki/write-files.js');
  if (options.org !== undefined && options.output === undefined) {
    throw new RelayError('usage', '--org makes a certificate beside relay.toml; say where with -o');
  }
  if (options.output !== undefined && existsSync(options.output) && !options.overwrite) {
    throw new RelayError('usage', `${options.output} is there already; choose another file, or give --overwrite`);
  }
  const text = readIni(file, INI_BYTES_MAX);
  const directory = dirname(resolve(file));
  const importWith = async (p2p: CertificateFiles | undefined): Promise<Imported> => {
    const result = importConfig(text, {
      directory,
      replaceNode: options.replaceNode ?? false,
      channelPort: options.channelPort,
      p2pPort: options.p2pPort,
      groups: groupsBeside(directory),
      p2p,
    });
    if (!result.ok) throw new RelayError('config-invalid', problemText(file, result));
    await requireGood(result.toml, options.output ?? 'relay.toml');
    return result;
  };
  // Before a certificate is made, whatever is wrong with the rest comes out.
  if (options.org !== undefined) await importWith(undefined);
  const p2p = await p2pFiles(options);
  const imported = await importWith(p2p);
  if (options.output === undefined) {
    if (!options.json) await write(imported.toml);
  } else {
    makeFolderOf(options.output);
    writeFiles([{ path: options.output, content: imported.toml, secret: false }], true, '');
  }
  await report(imported, p2p, options);
  return ExitCode.ok;
}

type Imported = Extract<ImportResult, { ok: true }>;

function readIni(file: string, bytesMax: number): string {
  try {
    const { size } = statSync(file);
    if (size > bytesMax) throw new Error(`it has ${size} bytes, more than any config.ini`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new RelayError('config-unreadable', `${file} cannot be read: ${errorText(error)}`, error);
  }
}

/** Numbers of `conf/group.<number>.ini`, where nodes keep their groups. */
function groupsBeside(directory: string): number[] {
  let names: string[];
  try {
    names = readdirSync(join(directory, 'conf'));
  } catch {
    return [];
  }
  return names
    .flatMap((name) => /^group\.(\d{1,5})\.ini$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** The certificate of the P2P port, made where `--org` asks for one. */
async function p2pFiles(options: ImportCommandOptions): Promise<CertificateFiles | undefined> {
  if (options.p2pCerts !== undefined) return filesIn(resolve(options.p2pCerts));
  if (options.org === undefined || options.output === undefined) return undefined;
  const folder = join(dirname(resolve(options.output)), 'p2p');
  if (existsSync(join(folder, 'node.key')) && !options.overwrite) {
    throw new RelayError('usage', `${folder} holds a key already; use it with --p2p-certs, or give --overwrite`);
  }
  const { issueLeaf } = await import('../pki/issue.js');
  await issueLeaf({
    directory: folder,
    name: 'relay',
    role: 'node',
    agencyDirectory: options.org,
    days: LEAF_DAYS,
    now: new Date(),
    renew: false,
    overwrite: options.overwrite ?? false,
    askPassword: (name) => passwordOf(name, options),
  });
  return filesIn(folder);
}

function filesIn(folder: string): CertificateFiles {
  return { key: join(folder, 'node.key'), cert: join(folder, 'node.crt'), caCert: join(folder, 'ca.crt') };
}

/** What amop config check would say. */
async function requireGood(toml: string, output: string): Promise<void> {
  const [{ formatProblems, parseConfig }, { checkConfigFiles }] = await Promise.all([
    import('../config/index.js'),
    import('./config-files.js'),
  ]);
  const parsed = parseConfig(toml, dirname(resolve(output)));
  const problems = parsed.ok
    ? checkConfigFiles(parsed.config, new Date()).problems.map(({ table, message }) => ({ path: table, message }))
    : parsed.problems;
  if (problems.length === 0) return;
  throw new RelayError('config-invalid', `${formatProblems(problems, output)}\n${output}: nothing was written`);
}

function problemText(file: string, { problems }: Extract<ImportResult, { ok: false }>): string {
  return problems.map(({ line, message }) => `${file}${line === undefined ? '' : `:${line}`}: ${message}`).join('\n');
}

async function report(
  imported: Imported,
  p2p: CertificateFiles | undefined,
  options: ImportCommandOptions,
): Promise<void> {
  const { carried, leftOut, toml } = imported;
  const remarks = [...imported.remarks];
  if (p2p !== undefined) {
    remarks.push(`peers with a certificate_whitelist must add the relay's node ID ${await nodeIdIn(p2p.cert)}`);
  }
  const { output } = options;
  if (options.json) {
    await writeJson({ output, toml: output === undefined ? toml : undefined, carried, leftOut, remarks });
    return;
  }
  if (output !== undefined) note(`amop: wrote ${printable(output)}, ${carried.length} keys carried over`);
  for (const { key, value, reason } of leftOut)
    note(`amop: not carried over: ${printable(`${key}=${value}`)} ${reason}`);
  for (const remark of remarks) note(`amop: note: ${printable(remark)}`);
}

async function nodeIdIn(certPath: string): Promise<string> {
  const [{ parseCertificates, readPemFile }, { nodeIdOf }] = await Promise.all([
    import('../pki/files.js'),
    import('../pki/key.js'),
  ]);
  return nodeIdOf(parseCertificates(readPemFile(certPath, 'cert'))[0].publicKey) ?? 'none';
}
