import { AmopError } from '../client/amop-error.js';
import { describeCode } from '../client/index.js';
import type { Act } from './act.js';
import { parseCode } from './arguments.js';
import { ExitCode, exitCodeOf } from './exit-codes.js';
import { write, writeJson } from './output.js';
import { hintFor } from './report.js';
import { paint } from './style.js';
import type { Verb } from './verb.js';

export function addExplainCommand(program: Verb, act: Act): void {
  const command = program
    .command('explain')
    .summary('say what an AMOP code means and what to do')
    .description('Says what a code means, what to do about it, and with which exit code amop ends on it.')
    .argument('<code>', '100, -100 or AMOP-100', parseCode)
    .option('--json', 'as a JSON object');
  command
    .example('amop explain AMOP-100', 'as amop and the client write it')
    .example('amop explain -102', 'as the published documents of AMOP write it')
    .action((code: number, options: { readonly json?: boolean }) => act(() => explain(code, options.json ?? false)));
}

async function explain(code: number, json: boolean): Promise<number> {
  const error = new AmopError(code);
  const hint = hintFor(code);
  const exitCode = exitCodeOf(error);
  if (json) {
    await writeJson({ id: error.id, code, meaning: describeCode(code), hint, exitCode });
    return ExitCode.ok;
  }
  await write(`${paint(process.stdout, 'bold', error.id)}: ${describeCode(code)}\n`);
  if (hint !== undefined) await write(`  ${hint}\n`);
  await write(`  amop ends with exit code ${exitCode}; docs/errors.md says more\n`);
  return ExitCode.ok;
}
