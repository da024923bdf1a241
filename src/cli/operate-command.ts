/** `amop reload`, `amop drain`, `amop private status`: what operators ask of a running relay over its admin port. */
import type { Act } from './act.js';
import { adminOption, getAdminJson, postAdmin, tokenOption } from './admin-client.js';
import { ExitCode } from './exit-codes.js';
import { note, printable, write, writeJson } from './output.js';
import { formatTable } from './table.js';
import type { Verb } from './verb.js';

interface OperateOptions {
  readonly admin: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

interface PrivateReport {
  readonly pairs: readonly {
    readonly topic: string;
    readonly state: string;
    readonly forSeconds: number;
    readonly failure?: string;
    readonly sender: string;
    readonly subscriber: string;
  }[];
}

export function addOperateCommands(program: Verb, act: Act): void {
  program
    .command('reload')
    .summary('let a relay read its configuration anew')
    .description(
      'Lets a running relay take over certificates, lists, limits, private topics, log level and peers from its configuration ' +
        'file. Sessions that stay allowed live on. A configuration with a mistake changes nothing.',
    )
    .addOption(adminOption())
    .addOption(tokenOption('change'))
    .option('--json', 'the outcome as one JSON object')
    .example('amop reload --token-file admin.token', 'says what needs a restart')
    .example('amop reload --token-file admin.token --json', 'for a program')
    .action((options: OperateOptions) => act(() => reload(options), options.json));
  program
    .command('drain')
    .summary('let a relay finish what it has and end')
    .description('Lets a running relay take nothing new, finish what is under way and end, as SIGTERM does.')
    .addOption(adminOption())
    .addOption(tokenOption('change'))
    .option('--json', 'one JSON object')
    .example('amop drain --token-file admin.token', 'before its machine is restarted')
    .action((options: OperateOptions) => act(() => drain(options), options.json));
  program
    .command('private')
    .summary('look at the private topics of a relay')
    .description('Looks at the private topics of a relay.')
    .example('amop private status', 'of the relay whose admin port is on this machine')
    .command('status')
    .summary('who is certified to receive from whom')
    .description(
      'Lists every pair of sender and subscriber of private topics at a relay: pending, certified, or failed and why.',
    )
    .addOption(adminOption())
    .addOption(tokenOption('read'))
    .option('--json', 'one JSON object')
    .example('amop private status', 'of the relay whose admin port is on this machine')
    .example('amop private status --admin http://127.0.0.1:9091 --json', 'of another one, for a program')
    .action((options: OperateOptions) => act(() => privateStatus(options), options.json));
}

async function reload(options: OperateOptions): Promise<number> {
  const outcome = (await postAdmin(options.admin, '/reload', options.tokenFile)) as { kept: string[]; closed: number };
  if (options.json) {
    await writeJson(outcome);
    return ExitCode.ok;
  }
  await write(`configuration reloaded; ${outcome.closed} connections closed that are not allowed any more\n`);
  if (outcome.kept.length > 0)
    note(`amop: these keys need a restart, their old values stay: ${outcome.kept.join(', ')}`);
  return ExitCode.ok;
}

async function drain(options: OperateOptions): Promise<number> {
  const outcome = await postAdmin(options.admin, '/drain', options.tokenFile);
  if (options.json) await writeJson(outcome);
  else await write('the relay is draining\n');
  return ExitCode.ok;
}

async function privateStatus(options: OperateOptions): Promise<number> {
  const report = await getAdminJson<PrivateReport>(options.admin, '/private', options.tokenFile);
  if (options.json) {
    await writeJson(report);
    return ExitCode.ok;
  }
  if (report.pairs.length === 0) {
    await write('No sender and subscriber of a private topic at this relay.\n');
    return ExitCode.ok;
  }
  const rows = report.pairs.map(({ topic, state, forSeconds, failure, sender, subscriber }) => [
    printable(topic),
    state,
    `${Math.floor(forSeconds)} s`,
    printable(sender),
    printable(subscriber),
    failure ?? '-',
  ]);
  await write(`${formatTable(['TOPIC', 'STATE', 'FOR', 'SENDER', 'SUBSCRIBER', 'LAST FAILURE'], rows)}\n`);
  return ExitCode.ok;
}
