// One run of the generator against one relay or two, and what is made of several.
import { spawn } from 'node:child_process';
import { spread } from '../harness/summary.mjs';

/** Above this share of a core the generator, not the relay, may set the pace. */
const GENERATOR_BOUND_SHARE = 0.9;

/** Cores used by anything but relays and generator above which a run counts as disturbed. */
const DISTURBED_CORES = 0.15;

/** A unicast round trip carries two messages, the request and its answer; each relay receives and sends both. */
const MESSAGES_PER_ROUND_TRIP = 2;

/** clientType of 0x14 by mode: strict sessions get one frame a TLS record, joined ones may get several. */
export const CLIENT_TYPES = { strict: 'Go-SDK', joined: 'java-sdk' };

/** Added to the phases before the generator is killed from outside; its own deadline ends it earlier. */
const KILL_AFTER_SECONDS = 60;

/**
 * Runs the generator and resolves with its line of JSON and `exitCode`; rejects when it printed none.
 * `relays`: see harness/relays.mjs; `load`: outstanding, rate, payload, publishers, subscribers, warmup, seconds, seed, mode.
 */
export function runGenerator(binary, relays, identity, load) {
  const args = {
    port: relays.publishers.port,
    'subscriber-port': relays.subscribers.port,
    topic: relays.nextTopic(),
    cert: identity.cert,
    key: identity.key,
    ca: identity.caCert,
    'client-type': CLIENT_TYPES[load.mode],
    'expect-strict': load.mode === 'strict' ? 1 : 0,
    outstanding: load.outstanding,
    rate: load.rate,
    payload: load.payload,
    publishers: load.publishers,
    subscribers: load.subscribers,
    warmup: load.warmup,
    seconds: load.seconds,
    seed: load.seed,
  };
  const argv = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
  for (const { pid } of relays.all) argv.push('--pid', String(pid));
  return new Promise((done, reject) => {
    const child = spawn(binary, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    const timer = setTimeout(kill, (load.warmup + load.seconds + KILL_AFTER_SECONDS) * 1000);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      process.off('exit', kill);
      if (stdout === '') reject(new Error(stderr.trim() || `the generator ended with ${signal ?? code}`));
      else done({ ...JSON.parse(stdout), exitCode: code });
    });
  });
}

/** The figures of one run that are reported; relay CPU is that of all relays where the name does not say which. */
export function figuresOf(run) {
  const perRoundTripUs = (seconds) => (seconds / run.roundTrips) * 1e6;
  const perMessageUs = (seconds) => perRoundTripUs(seconds) / MESSAGES_PER_ROUND_TRIP;
  const relayCpuSeconds = run.relays.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  return {
    roundTripsPerSecond: run.roundTripsPerSecond,
    p50Us: run.latencyUs.p50,
    p99Us: run.latencyUs.p99,
    relayCpuUsPerRoundTrip: perRoundTripUs(relayCpuSeconds),
    relayCpuUsPerMessage: perMessageUs(relayCpuSeconds),
    ...(run.relays.length > 1 && {
      publisherRelayCpuUsPerMessage: perMessageUs(run.relays[0].cpuSeconds),
      subscriberRelayCpuUsPerMessage: perMessageUs(run.relays[1].cpuSeconds),
    }),
    relayCores: relayCpuSeconds / run.measuredSeconds,
    generatorCores: run.generatorCoreShare,
    otherCores: Math.max(0, (run.machineBusySeconds - relayCpuSeconds - run.generatorCpuSeconds) / run.measuredSeconds),
  };
}

/** `{min, median, max}` of every figure over the rounds. */
export function summarise(runs) {
  const figures = runs.map(figuresOf);
  return Object.fromEntries(Object.keys(figures[0]).map((name) => [name, spread(figures.map((one) => one[name]))]));
}

/** What a reader must know of a row, in words; empty when nothing is. */
export function notesOf(summary, runs) {
  const notes = [];
  if (summary.generatorCores.max > GENERATOR_BOUND_SHARE) notes.push('generator-bound');
  if (summary.otherCores.max > DISTURBED_CORES) notes.push('disturbed by other work');
  const late = runs.reduce((sum, run) => sum + run.sentLate, 0);
  if (late > 0) notes.push(`${late} sent late`);
  if (runs.some((run) => faultOf(run) !== undefined)) notes.push('FAULTY');
  return notes.join(', ');
}

/** Why a run does not count, or undefined when every answer was right. */
export function faultOf(run) {
  if (run.exitCode === 0 && run.roundTrips > 0) return undefined;
  if (run.roundTrips === 0) return 'no round trip was completed in the measured phase';
  const { errors, lost, duplicates, duplicateDeliveries, wrongBodies, unknownSeqs, unexpectedFrames } = run;
  const parts = { errors, lost, duplicates, duplicateDeliveries, wrongBodies, unknownSeqs, unexpectedFrames };
  const { joined, split } = run.records;
  return JSON.stringify({ ...parts, failedResults: run.failedResults, recordsJoined: joined, recordsSplit: split });
}
