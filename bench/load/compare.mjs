// A/B of two builds of the relay under the same load, interleaved.
//
//   node bench/load/compare.mjs --a DIST --b DIST [options of round-trip.mjs without --dist, --save, --name]
//     [--node-b PATH]   node binary of B (that of A); with --a and --b the same folder it compares Node versions
//
// The relays of both sides run through the whole comparison, so each has warmed up; in every round each level runs on A and
// B one after the other, and who goes first alternates. The ratio is taken per round and B stands above A: drift of the
// machine between rounds cancels, and a difference smaller than the spread of the ratios is none.
// Exit codes as in round-trip.mjs.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificates } from '../harness/certificates.mjs';
import { describeMachine, formatMachine } from '../harness/machine.mjs';
import { nodeVersions } from '../harness/relay-process.mjs';
import { startRelays } from '../harness/relays.mjs';
import { runBench, settingsOf } from '../harness/script.mjs';
import { formatNumber, formatSpread, formatTable, spread } from '../harness/summary.mjs';
import { ensureGenerator } from './build.mjs';
import { faultOf, figuresOf, runGenerator, summarise } from './measure.mjs';
import { parseLoadOptions } from './options.mjs';

const options = parseLoadOptions(process.argv.slice(2), {
  a: { type: 'string' },
  b: { type: 'string' },
  'node-b': { type: 'string' },
});
if (options.a === undefined || options.b === undefined) {
  process.stderr.write('--a and --b are required: two dist folders of the relay\n');
  process.exit(2);
}
const binary = ensureGenerator();

const FIGURES = [
  'roundTripsPerSecond',
  'p50Us',
  'p99Us',
  'relayCpuUsPerMessage',
  ...(options.relays === 1 ? [] : ['publisherRelayCpuUsPerMessage', 'subscriberRelayCpuUsPerMessage']),
  'otherCores',
];

await runBench(async (directory) => {
  const sides = [
    { name: 'A', dist: options.a, node: options.node },
    { name: 'B', dist: options.b, node: options['node-b'] ?? options.node },
  ];
  const files = await createCertificates(options.a, join(directory, 'pki'), options.kind);
  for (const side of sides) {
    const own = join(directory, side.name);
    mkdirSync(own);
    side.versions = nodeVersions(side.node);
    side.relays = await startRelays({ ...side, count: options.relays, files, directory: own });
    side.runs = new Map(options.outstanding.map((outstanding) => [outstanding, []]));
  }
  const machine = describeMachine(sides[0].versions);
  let faults = 0;
  for (let round = 0; round < options.rounds; round++) {
    for (const outstanding of options.outstanding) {
      for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
        const run = await runGenerator(binary, side.relays, files.sdk, { ...options, outstanding });
        side.runs.get(outstanding).push(run);
        const fault = faultOf(run);
        if (fault === undefined) continue;
        faults++;
        process.stderr.write(`${side.name}, round ${round + 1}, ${outstanding} outstanding: ${fault}\n`);
      }
    }
  }
  for (const side of sides) await side.relays.stop();
  print(machine, sides);
  return faults === 0 ? 0 : 1;
});

function print(machine, [a, b]) {
  console.log(formatMachine(machine, a.runs.get(options.outstanding[0])[0].openssl));
  for (const { name, dist, versions } of [a, b]) console.log(`${name}: ${dist}, Node ${versions.node}`);
  console.log(
    `${options.relays === 1 ? 'one relay' : 'two relays'} a side; ${options.mode} sessions, ${options.kind}, ` +
      `payload ${options.payload} B; ` +
      `${options.rounds} rounds of ${options.seconds} s, interleaved; median (min - max)`,
  );
  if (options.smoke) console.log('Smoke size: the figures mean nothing.');
  const rows = options.outstanding.flatMap((outstanding) => {
    const [runsA, runsB] = [a, b].map((side) => side.runs.get(outstanding));
    const [summaryA, summaryB] = [summarise(runsA), summarise(runsB)];
    return FIGURES.map((figure) => [
      String(outstanding),
      figure,
      formatSpread(summaryA[figure]),
      formatSpread(summaryB[figure]),
      figure === 'otherCores' ? '' : formatRatio(runsA, runsB, figure),
    ]);
  });
  console.log(formatTable(['outstanding', 'figure', 'A', 'B', 'B/A'], rows));
  if (options.json) {
    const runs = Object.fromEntries([a, b].map((side) => [side.name, Object.fromEntries(side.runs)]));
    console.log(JSON.stringify({ bench: 'compare', machine, options: settingsOf(options), runs }));
  }
}

function formatRatio(runsA, runsB, figure) {
  const { min, median, max } = spread(
    runsA.map((run, round) => figuresOf(runsB[round])[figure] / figuresOf(run)[figure]),
  );
  return `${formatNumber(median, 3)} (${formatNumber(min, 3)} - ${formatNumber(max, 3)})`;
}
