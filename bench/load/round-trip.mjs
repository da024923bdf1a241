// Unicast round trips through one relay, or through two that are linked: each relay is a process, the C++ generator is
// another, the load is a closed loop with a fixed number of outstanding requests (or, with --rate, an open loop). With two
// relays the publishers are clients of the one and the subscribers of the other.
//
//   node bench/load/round-trip.mjs [--relays 1|2] [--outstanding 1,8,64,512] [--seconds 5] [--warmup 2] [--rounds 3]
//     [--payload 128] [--publishers 4] [--subscribers 4] [--rate 0] [--kind secp256k1|rsa] [--mode strict|joined]
//     [--seed 1] [--node PATH] [--dist DIR] [--smoke] [--json] [--save] [--name NAME]
//
// Every round starts fresh relays, so that the spread holds what differs between processes too, and takes the levels in
// an order turned by one. Definitions and rules: docs/benchmarks.md. Needs dist/ (npm run build).
// Exit codes: 0; 1 a lost, doubled or wrong answer or a relay that failed; 2 usage; 3 g++ or libssl-dev is missing.
import { join } from 'node:path';
import { createCertificates } from '../harness/certificates.mjs';
import { describeMachine, formatMachine } from '../harness/machine.mjs';
import { nodeVersions } from '../harness/relay-process.mjs';
import { startRelays } from '../harness/relays.mjs';
import { runBench, saveResult, settingsOf } from '../harness/script.mjs';
import { formatNumber, formatSpread, formatTable } from '../harness/summary.mjs';
import { ensureGenerator } from './build.mjs';
import { CLIENT_TYPES, faultOf, notesOf, runGenerator, summarise } from './measure.mjs';
import { parseLoadOptions, RESULT_OPTIONS } from './options.mjs';

const options = parseLoadOptions(process.argv.slice(2), RESULT_OPTIONS);
const binary = ensureGenerator();

await runBench(async (directory) => {
  const { dist, node, kind, relays: count } = options;
  const machine = describeMachine(nodeVersions(node));
  const files = await createCertificates(dist, join(directory, 'pki'), kind);
  const runs = new Map(options.outstanding.map((outstanding) => [outstanding, []]));
  let faults = 0;
  for (let round = 0; round < options.rounds; round++) {
    const relays = await startRelays({ count, node, dist, files, directory });
    for (let i = 0; i < options.outstanding.length; i++) {
      const outstanding = options.outstanding[(i + round) % options.outstanding.length];
      const run = await runGenerator(binary, relays, files.sdk, { ...options, outstanding });
      runs.get(outstanding).push(run);
      const fault = faultOf(run);
      if (fault !== undefined) {
        faults++;
        process.stderr.write(`round ${round + 1}, ${outstanding} outstanding: ${fault}\n`);
      }
    }
    await relays.stop();
  }
  const levels = [...runs].map(([outstanding, list]) => ({ outstanding, summary: summarise(list), runs: list }));
  const result = { bench: 'round-trip', machine, options: settingsOf(options), levels };
  print(result);
  if (options.save) saveResult(options.name ?? nameOf(machine), result);
  return faults === 0 ? 0 : 1;
});

function print(result) {
  const { runs } = result.levels[0];
  console.log(formatMachine(result.machine, runs[0].openssl));
  const { relays, kind, mode, payload, publishers, subscribers, rounds, warmup, seconds, rate, smoke } = options;
  console.log(
    `${relays === 1 ? 'one relay' : 'two relays, publishers at the one and subscribers at the other'}; ` +
      `${mode} sessions (clientType ${CLIENT_TYPES[mode]}), ${kind} certificates, ${runs[0].tls}; payload ${payload} B ` +
      `(frame ${runs[0].frameBytes} B); ${publishers} publishers, ${subscribers} subscribers; ` +
      `${rate > 0 ? `open loop, ${rate} requests/s offered` : 'closed loop'}; ` +
      `${rounds} rounds of ${seconds} s after ${warmup} s warm-up; median (min - max)`,
  );
  if (smoke) console.log('Smoke size: the figures mean nothing.');
  const columns = columnsOf(rate > 0, relays);
  console.log(
    formatTable(
      columns.map(([title]) => title),
      result.levels.map((level) => columns.map(([, cell]) => cell(level))),
    ),
  );
  if (options.json) console.log(JSON.stringify(result));
}

function columnsOf(isOpenLoop, relays) {
  const cpuOfEach = [
    ["publishers' relay CPU us/message", ({ summary }) => formatSpread(summary.publisherRelayCpuUsPerMessage)],
    ["subscribers' relay CPU us/message", ({ summary }) => formatSpread(summary.subscriberRelayCpuUsPerMessage)],
  ];
  return [
    [isOpenLoop ? 'outstanding <=' : 'outstanding', ({ outstanding }) => String(outstanding)],
    ['round trips/s', ({ summary }) => formatSpread(summary.roundTripsPerSecond)],
    ['p50 us', ({ summary }) => formatSpread(summary.p50Us, 1)],
    ['p99 us', ({ summary }) => formatSpread(summary.p99Us, 1)],
    ['relay CPU us/round trip', ({ summary }) => formatSpread(summary.relayCpuUsPerRoundTrip)],
    ['relay CPU us/message', ({ summary }) => formatSpread(summary.relayCpuUsPerMessage)],
    ...(relays === 1 ? [] : cpuOfEach),
    ['relay cores', ({ summary }) => formatNumber(summary.relayCores.median)],
    ['generator cores', ({ summary }) => formatNumber(summary.generatorCores.median)],
    ['other cores', ({ summary }) => formatSpread(summary.otherCores)],
    ['note', ({ summary, runs }) => notesOf(summary, runs)],
  ];
}

function nameOf(machine) {
  const { relays, mode, kind } = options;
  const bench = relays === 1 ? 'round-trip' : `round-trip-${relays}-relays`;
  return `${bench}-${mode}-${kind}-node${machine.node.split('.')[0]}`;
}
