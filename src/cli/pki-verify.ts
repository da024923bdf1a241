import { Option } from 'commander';
import { RelayError } from '../base/errors.js';
import type { Use, Verdict } from '../pki/verify.js';
import type { Act } from './act.js';
import { ExitCode } from './exit-codes.js';
import { addPasswordOption, type PasswordOptions, passwordOf } from './keys-password.js';
import { printable, write, writeJson } from './output.js';
import type { Verb } from './verb.js';

interface VerifyOptions extends PasswordOptions {
  readonly as?: Exclude<Use, 'ca'>;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly crl?: string;
  readonly json?: boolean;
}

const WORDS: Readonly<Record<Use, string>> = {
  listener: 'a channel listener',
  p2p: 'the P2P port',
  client: 'an application',
  ca: 'a CA',
};

export function addPkiVerifyCommand(pki: Verb, act: Act): void {
  const command = pki
    .command('verify')
    .summary('check a folder as a relay or client would use it')
    .description(
      'Checks certificate, key and CA together, as a relay or a client would use them, and says what is wrong.',
    )
    .argument('[folder]', 'folder of a relay, of an application or of a CA')
    .addOption(new Option('--as <use>', 'what it is for').choices(['listener', 'p2p', 'client']))
    .option('--cert <file>', 'certificate, instead of a folder')
    .option('--key <file>', 'its private key')
    .option('--ca <file>', 'CA certificates')
    .option('--crl <file>', 'revocation lists to check as well')
    .option('--json', 'one JSON object for each use');
  addPasswordOption(command)
    .note(
      'A folder is judged by the files in it: node.crt for a relay, sdk.crt for an application, agency.crt or ca.crt for a ' +
        "CA. A relay's certificate that suits its channel port only, such as one with an RSA key, passes unless --as p2p " +
        'asks for more.',
    )
    .example('amop pki verify bank-a/relay-1', 'as a relay')
    .example('amop pki verify bank-a/relay-1 --as p2p', 'for its P2P port, whatever else it is good for')
    .example(
      'amop pki verify --as client --cert conf/sdk.crt --key conf/sdk.key --ca conf/ca.crt',
      'files instead of a folder',
    )
    .action((folder: string | undefined, options: VerifyOptions) => act(() => verify(folder, options), options.json));
}

async function verify(folder: string | undefined, options: VerifyOptions): Promise<number> {
  const { verifyFolder, verifyIdentity, withPassword } = await import('../pki/verify.js');
  const { cert, key, ca } = options;
  const how = { now: new Date(), askPassword: (name: string) => passwordOf(name, options), crl: options.crl };
  let verdicts: Verdict[];
  if (folder !== undefined && cert === undefined && key === undefined && ca === undefined) {
    verdicts = (await verifyFolder(folder, how)).filter(({ use }) => options.as === undefined || use === options.as);
    if (verdicts.length === 0)
      throw new RelayError('usage', `${folder} holds nothing for ${WORDS[options.as ?? 'ca']}`);
  } else if (folder === undefined && cert !== undefined && key !== undefined && ca !== undefined) {
    const files = await withPassword({ cert, key, caCert: ca }, how.askPassword);
    verdicts = [verifyIdentity(options.as ?? 'client', files, how)];
  } else {
    throw new RelayError('usage', 'give a folder, or all of --cert, --key and --ca');
  }
  for (const verdict of verdicts) {
    if (options.json) await writeJson({ ...verdict, ok: verdict.problem === undefined });
    else await write(textOf(verdict));
  }
  // Beside a good listener, P2P is an offer and not a demand.
  const demanded = verdicts.filter(({ use }) => use !== 'p2p' || options.as === 'p2p');
  return demanded.every(({ problem }) => problem === undefined) ? ExitCode.ok : ExitCode.usage;
}

function textOf({ use, path, problem, warnings, nodeId, notAfter }: Verdict): string {
  const lines =
    problem === undefined
      ? [`${path} is good for ${WORDS[use]}${notAfter === undefined ? '' : `, until ${notAfter.toISOString()}`}`]
      : [`${path} is not good for ${WORDS[use]}: ${problem}`];
  if (problem === undefined && use === 'p2p' && nodeId !== undefined) lines.push(`  node ID ${nodeId}`);
  for (const warning of warnings) lines.push(`  warning: ${warning}`);
  return lines.map((line) => `${printable(line)}\n`).join('');
}
