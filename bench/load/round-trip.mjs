// Unicast round trips through one relay: the relay is a process, the C++ generator is another, the load is a closed loop
// with a fixed number of outstanding requests (or, with --rate, an open loop).
//
//   node bench/load/round-trip.mjs [--outstanding 1,8,64,512] [--seconds 5] [--warmup 2] [--rounds 3] [--payload 128]
//     [--publishers 4] [--subscribers 4] [--rate 0] [--kind secp256k1|rsa] [--mode strict|joined] [--seed 1]
//     [--node PATH] [--dist DIR] [--smoke] [--json] [--save] [--name NAME]
//
// Every round starts a fresh relay, so that the spread holds what differs between processes too, and takes the levels in
// an order turned by one. Definitions and rules: docs/benchmarks.md. Needs dist/ (npm run build).
// Exit codes: 0; 1 a lost, doubled or wrong answer or a relay that failed; 2 usage; 3 g++ or libssl-dev is missing.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeMachine, formatMachine } from '../harness/machine.mjs';
import { createCertificates, nodeVersions, startRelay } from '../harness/relay-process.mjs';
import { formatNumber, formatSpread, formatTable } from '../harness/summary.mjs';
import { ensureGenerator } from './build.mjs';
import { CLIENT_TYPES, DISTURBED_CORES, faultOf, GENERATOR_BOUND_SHARE, runGenerator, summarise } from './measure.mjs';
import { parseLoadOptions } from './options.mjs';

const options = parseLoadOptions(process.argv.slice(2), {
  dist: { type: 'string', default: fileURLToPath(new URL('../../dist', import.meta.url)) },
  save: { type: 'boolean', default: false },
  name: { type: 'string' },
});
const binary = ensureGenerator();
const directory = mkdtempSync(join(tmpdir(), 'amop-bench-'));
// Also after process.exit and Ctrl-C.
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

async function main() {
  const { dist, node, kind } = options;
  const versions = nodeVersions(node);
  const machine = describeMachine(versions);
  const files = await createCertificates(dist, join(directory, 'pki'), kind);
  const runs = new Map(options.outstanding.map((outstanding) => [outstanding, []]));
  let faults = 0;
  for (let round = 0; round < options.rounds; round++) {
    const relay = await startRelay({ node, dist, identity: files.relay, directory });
    for (let i = 0; i < options.outstanding.length; i++) {
      const outstanding = options.outstanding[(i + round) % options.outstanding.length];
      const run = await runGenerator(binary, relay, files.sdk, { ...options, outstanding });
      runs.get(outstanding).push(run);
      const fault = faultOf(run);
      if (fault !== undefined) {
        faults++;
        process.stderr.write(`round ${round + 1}, ${outstanding} outstanding: ${fault}\n`);
      }
    }
    await relay.stop();
  }
  const levels = [...runs].map(([outstanding, list]) => ({ outstanding, summary: summarise(list), runs: list }));
  const result = { bench: 'round-trip', machine, options: settings(), levels };
  print(result);
  if (options.save) save(result);
  return faults === 0 ? 0 : 1;
}

/** The options that make the figure; paths are left out, they name the machine they were measured on. */
function settings() {
  const { node, dist, save: _save, name: _name, json: _json, ...rest } = options;
  return rest;
}

function print(result) {
  const { runs } = result.levels[0];
  console.log(formatMachine(result.machine, runs[0].openssl));
  const { kind, mode, payload, publishers, subscribers, rounds, warmup, seconds, rate, smoke } = options;
  console.log(
    `${mode} sessions (clientType ${CLIENT_TYPES[mode]}), ${kind} certificates, ${runs[0].tls}; payload ${payload} B ` +
      `(frame ${runs[0].frameBytes} B); ${publishers} publishers, ${subscribers} subscribers; ` +
      `${rate > 0 ? `open loop, ${rate} requests/s offered` : 'closed loop'}; ` +
      `${rounds} rounds of ${seconds} s after ${warmup} s warm-up; median (min - max)`,
  );
  if (smoke) console.log('Smoke size: the figures mean nothing.');
  console.log(
    formatTable(
      [
        rate > 0 ? 'outstanding <=' : 'outstanding',
        'round trips/s',
        'p50 us',
        'p99 us',
        'relay CPU us/round trip',
        'relay CPU us/message',
        'relay cores',
        'generator cores',
        'other cores',
        'note',
      ],
      result.levels.map(({ outstanding, summary, runs: list }) => [
        String(outstanding),
        formatSpread(summary.roundTripsPerSecond),
        formatSpread(summary.p50Us, 1),
        formatSpread(summary.p99Us, 1),
        formatSpread(summary.relayCpuUsPerRoundTrip),
        formatSpread(summary.relayCpuUsPerMessage),
        formatNumber(summary.relayCores.median),
        formatNumber(summary.generatorCores.median),
        formatSpread(summary.otherCores),
        noteOf(summary, list),
      ]),
    ),
  );
  if (options.json) console.log(JSON.stringify(result));
}

function noteOf(summary, list) {
  const notes = [];
  if (summary.generatorCores.max > GENERATOR_BOUND_SHARE) notes.push('generator-bound');
  if (summary.otherCores.max > DISTURBED_CORES) notes.push('disturbed by other work');
  const late = list.reduce((sum, run) => sum + run.sentLate, 0);
  if (late > 0) notes.push(`${late} sent late`);
  if (list.some((run) => faultOf(run) !== undefined)) notes.push('FAULTY');
  return notes.join(', ');
}

function save(result) {
  const results = fileURLToPath(new URL('../results', import.meta.url));
  const major = result.machine.node.split('.')[0];
  const name = options.name ?? `round-trip-${options.mode}-${options.kind}-node${major}`;
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  console.log(`saved bench/results/${name}.json`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
