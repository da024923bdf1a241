// How soon a subscription can be reached from elsewhere: from the moment in which 0x32 with a new topic is written on one
// relay until the first unicast to that topic has its answer,
//
//   relay   from an application of another relay, which asks again as soon as it is told that there is nobody (100);
//   node    from a plain 2.x node on the P2P port, which pulls the list as soon as it is told of a new one.
//
//   node bench/load/subscription.mjs [--subscriptions 100] [--rounds 3] [--gap 60] [--payload 128] [--seed 1]
//     [--kind secp256k1|rsa] [--node PATH] [--dist DIR] [--smoke] [--json] [--save] [--name NAME]
//
// Every round starts two fresh, linked relays and makes that many subscriptions for each way, one after the other, `gap`
// milliseconds apart and up to 20 more by chance: a relay collects changes for 20 ms, and pulls 20 times a second from one
// peer at most. Applications and node live in this process, so its own work is in the times. Needs dist/ (npm run build).
// Exit codes: 0; 1 a topic that did not become routable, a wrong answer, or a relay that failed; 2 usage.
import { join } from 'node:path';
import { createCertificates } from '../harness/certificates.mjs';
import { openPublisher, openSubscriber } from '../harness/channel-client.mjs';
import { delay, withTimeout } from '../harness/deadline.mjs';
import { describeMachine, formatMachine } from '../harness/machine.mjs';
import { openPlainNode } from '../harness/plain-node.mjs';
import { nodeVersions } from '../harness/relay-process.mjs';
import { startRelays, waitForPeers } from '../harness/relays.mjs';
import { runBench, saveResult, settingsOf } from '../harness/script.mjs';
import { formatSpread, formatTable, spread } from '../harness/summary.mjs';
import { number, parse, RESULT_OPTIONS, wholeNumber } from './options.mjs';

const WAYS = ['relay', 'node'];
/** Not counted: they compile what is measured. */
const WARMUP = 10;
const JITTER_MS = 20;
const ROUTABLE_TIMEOUT_MS = 10_000;
const NOBODY = 100;

const options = parse(
  process.argv.slice(2),
  {
    subscriptions: { type: 'string' },
    gap: { type: 'string', default: '60' },
    payload: { type: 'string', default: '128' },
    ...RESULT_OPTIONS,
  },
  (values) => ({
    subscriptions: wholeNumber('subscriptions', values.subscriptions ?? (values.smoke ? 5 : 100), 1),
    rounds: wholeNumber('rounds', values.rounds ?? (values.smoke ? 1 : 3), 1),
    gap: number('gap', values.gap, 0),
    payload: wholeNumber('payload', values.payload, 0),
  }),
);
const payload = Buffer.alloc(options.payload, 'amop');

await runBench(async (directory) => {
  const { dist, node, kind } = options;
  const machine = describeMachine(nodeVersions(node));
  const files = await createCertificates(dist, join(directory, 'pki'), kind);
  const nodeFiles = await files.createNode('plain-node');
  const random = seededRandom(options.seed);
  const latenciesMs = Object.fromEntries(WAYS.map((way) => [way, []]));
  for (let round = 0; round < options.rounds; round++) {
    const relays = await startRelays({ count: 2, node, dist, files, directory });
    for (const way of round % 2 === 0 ? WAYS : [...WAYS].reverse()) {
      latenciesMs[way].push(await measureWay(way, relays, files, nodeFiles, random));
    }
    await relays.stop();
  }
  const result = { bench: 'subscription', machine, options: settingsOf(options), latenciesMs };
  print(result);
  if (options.save) saveResult(options.name ?? `subscription-${kind}-node${machine.node.split('.')[0]}`, result);
  return 0;
});

/** Milliseconds of every counted subscription. */
async function measureWay(way, relays, files, nodeFiles, random) {
  const subscriber = await openSubscriber({ port: relays.subscribers.port, identity: files.sdk });
  const sender =
    way === 'relay'
      ? await openPublisher({ port: relays.publishers.port, identity: files.sdk })
      : await openPlainNode({ port: relays.subscribers.p2pPort, identity: nodeFiles });
  await waitForPeers(relays.subscribers, way === 'relay' ? 1 : 2);
  const reach = way === 'relay' ? askUntilReached : reachWhenListed;
  const broken = Promise.race([subscriber.failed, sender.failed]);
  // It may come within a pause, when nobody waits for it; the next race tells.
  broken.catch(() => {});
  const latenciesMs = [];
  for (let i = -WARMUP; i < options.subscriptions; i++) {
    await delay(options.gap + random() * JITTER_MS);
    const topic = relays.nextTopic();
    const startMs = performance.now();
    subscriber.subscribe(topic);
    await withTimeout(
      Promise.race([reach(sender, topic), broken]),
      ROUTABLE_TIMEOUT_MS,
      () => new Error(`a topic could not be reached from the ${way} after ${ROUTABLE_TIMEOUT_MS / 1000} s`),
    );
    if (i >= 0) latenciesMs.push(performance.now() - startMs);
  }
  subscriber.close();
  sender.close();
  await waitForPeers(relays.subscribers, 1);
  return latenciesMs;
}

async function askUntilReached(publisher, topic) {
  for (;;) {
    const result = await publisher.request(topic, payload);
    if (result === 0) return;
    if (result !== NOBODY) throw new Error(`a unicast ended with ${result}`);
  }
}

async function reachWhenListed(plainNode, topic) {
  await plainNode.routable(topic);
  const result = await plainNode.request(topic, payload);
  if (result !== 0) throw new Error(`a unicast of the node ended with ${result}`);
}

function print({ machine, latenciesMs }) {
  const { kind, subscriptions, rounds, gap, smoke } = options;
  console.log(formatMachine(machine));
  console.log(
    `two relays, ${kind} certificates, payload ${options.payload} B; ${rounds} rounds of ${subscriptions} subscriptions ` +
      `for each way, ${gap} to ${gap + JITTER_MS} ms apart; over all rounds (smallest - largest round)`,
  );
  if (smoke) console.log('Smoke size: the figures mean nothing.');
  const rows = WAYS.map((way) => {
    const all = latenciesMs[way].flat();
    const cell = (fraction) => {
      const { min, max } = spread(latenciesMs[way].map((round) => percentile(round, fraction)));
      return formatSpread({ min, median: percentile(all, fraction), max });
    };
    return [way, String(all.length), cell(0.5), cell(0.9), cell(1)];
  });
  console.log(formatTable(['reached from', 'subscriptions', 'median ms', 'p90 ms', 'max ms'], rows));
  if (options.json)
    console.log(JSON.stringify({ bench: 'subscription', machine, options: settingsOf(options), latenciesMs }));
}

/** The smallest value that at least this part of all do not exceed. */
function percentile(values, fraction) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)];
}

/** Numbers from 0 to 1 of a linear congruential generator: good enough for pauses. */
function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
