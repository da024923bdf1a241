// Private topics between two linked relays, with one sender on the first and one subscriber on the second:
//
//   usable      one topic after the other: from the 0x32 of whoever comes last, the subscriber or the sender, until the sender has
//               the answer to its first message, sent right behind the 0x38
//   certify     from the subscriber's 0x32 with that many private topics until the sender has certified the last of them (0x37,
//               challenge, signature, 0x38 for each) and a message behind the last 0x38 has its answer; with the CPU of both relays.
//               The two applications compare a word instead of a signature, here and above, so that no cryptography of theirs is
//               in the time
//   round trip  unicasts to one of these topics against unicasts to a public topic with a name of the same length, on the same
//               connections, A/B interleaved
//
//   node bench/load/private-topics.mjs [--topics 1000] [--rounds 3] [--outstanding 1,16] [--seconds 3] [--warmup 1]
//     [--payload 128] [--node PATH] [--dist DIR] [--smoke] [--json]
//
// Every round starts two fresh relays. Sessions are strict, certificates secp256k1. The applications live in this process; a row
// for which it used over 90 % of a core is marked generator-bound. Needs dist/ (npm run build); Linux, for CPU times.
// Exit codes: 0; 1 a topic that was not certified, a wrong answer, or a relay that failed; 2 usage.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { dialRelay } from '../harness/frame-link.mjs';
import { describeMachine, formatMachine } from '../harness/machine.mjs';
import { nodeVersions } from '../harness/relay-process.mjs';
import { formatSpread, formatTable, spread } from '../harness/summary.mjs';

const WAIT_MS = 60_000;
const STOP_MS = 15_000;
const HEADER_BYTES = 42;
const RESULT_OFFSET = 38;
const TYPE = { heartbeat: 0x13, unicast: 0x30, answer: 0x31, subscribe: 0x32, question: 0x37, result: 0x38 };
const PREFIX = '#!$TopicNeedVerify_';
/** utime and stime of /proc/<pid>/stat are in these. */
const TICKS_PER_SECOND = 100;
/** A 0x32 holds 4,096 topics, two for each private one and the public one. */
const TOPICS_MAX = 2_000;

const options = parseOptions(process.argv.slice(2));
const USABLE_TOPICS = Math.min(50, options.topics);
/** Between two of them: a relay announces a change at once, unless it announced another one in the last 20 ms. */
const APART_MS = 50;
/** A process that used this share of a core, or more, set the pace. */
const GENERATOR_BOUND = 0.9;
const names = Array.from({ length: options.topics }, (_, n) => `${PREFIX}bench${String(n).padStart(5, '0')}`);
const publicName = 'public-'.padEnd(names[0].length, 'x');
const payload = Buffer.alloc(options.payload, 'amop');
const SIDES = { private: names[0], public: publicName };

const directory = mkdtempSync(join(tmpdir(), 'amop-bench-'));
// Also after process.exit and Ctrl-C.
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

async function main() {
  const machine = describeMachine(nodeVersions(options.node));
  const { createDemoPki } = await import(pathToFileURL(resolve(options.dist, 'pki/demo.js')).href);
  mkdirSync(join(directory, 'pki'), { mode: 0o700 });
  const files = createDemoPki(join(directory, 'pki'), { now: new Date() }).files.secp256k1;
  const usable = { subscriber: [], sender: [] };
  const certify = [];
  const levels = options.outstanding.map((outstanding) => ({ outstanding, private: [], public: [] }));
  for (let round = 0; round < options.rounds; round++) {
    const first = await startRelay('relay-0', files['bank-a'].relay, []);
    const second = await startRelay('relay-1', files['bank-b'].relay, [first.p2pPort]);
    await Promise.all([first, second].map(waitForPeer));
    const sender = await connect(first.port, files['bank-a'].sdk);
    const subscriber = await connect(second.port, files['bank-a'].sdk);
    const broken = Promise.race([sender.broken, subscriber.broken]);
    for (const last of ['subscriber', 'sender']) {
      usable[last].push(
        ...(await within(Promise.race([firstMessages(sender, subscriber, last), broken]), 'a first message')),
      );
    }
    certify.push(
      await within(Promise.race([certifyAll(sender, subscriber, [first, second]), broken]), 'certification'),
    );
    for (const level of levels) {
      for (const side of round % 2 === 0 ? ['private', 'public'] : ['public', 'private']) {
        const run = roundTrips(sender, SIDES[side], level.outstanding, [first, second]);
        level[side].push(await within(Promise.race([run, broken]), `${side} round trips`));
      }
    }
    sender.close();
    subscriber.close();
    for (const relay of [first, second]) await relay.stop();
  }
  print(machine, usable, certify, levels);
}

// ---- what is measured

const pushTopic = (name) => `#!$PushChannel_${name}`;
const receiverTopics = (name) => [name, `#!$VerifyChannel_${name}_${randomBytes(16).toString('hex')}`];
const subscribe = (client, topics) => client.send(encode(TYPE.subscribe, JSON.stringify(topics)));

/** Milliseconds from the last 0x32 to the answer of a first message, for one new topic after the other. */
async function firstMessages(sender, subscriber, last) {
  const topics = Array.from({ length: USABLE_TOPICS }, (_, n) => `${PREFIX}${last}${n}`);
  answerEverything(subscriber);
  const [first, second] = last === 'subscriber' ? [sender, subscriber] : [subscriber, sender];
  const topicsOf = (client, name) => (client === sender ? [pushTopic(name)] : receiverTopics(name));
  await subscribe(
    first,
    topics.flatMap((name) => topicsOf(first, name)),
  );
  await first.barrier();
  const times = [];
  const held = [];
  for (const topic of topics) {
    held.push(...topicsOf(second, topic));
    const answered = new Promise((resolved, reject) => {
      certify(sender, (certified) => {
        if (certified === topic) sender.request(topic, payload).then(() => resolved(performance.now()), reject);
      }).catch(reject);
    });
    const startMs = performance.now();
    subscribe(second, held);
    times.push((await answered) - startMs);
    await delay(APART_MS);
  }
  for (const client of [sender, subscriber]) {
    subscribe(client, []);
    await client.barrier();
  }
  return times;
}

/** Challenges are signed by their own bytes, messages answered with theirs. */
function answerEverything(subscriber) {
  subscriber.onFrame = (frame) => {
    if (typeOf(frame) === TYPE.unicast) subscriber.send(answerTo(frame));
  };
}

/** Certifies whatever the relay asks for; never resolves, rejects with what went wrong. */
function certify(sender, onCertified) {
  return new Promise((_, reject) => {
    sender.onFrame = (frame) => {
      if (typeOf(frame) !== TYPE.question) return;
      const { nodeId, topic, topicForCert } = JSON.parse(frame.toString('utf8', HEADER_BYTES));
      sender.send(encode(TYPE.question, '', frame.toString('latin1', 6, RESULT_OFFSET)));
      sender
        .request(topicForCert, Buffer.from(randomBytes(16).toString('hex')))
        .then(() => {
          sender.send(encode(TYPE.result, JSON.stringify({ checkResult: 0, nodeId, topic })));
          onCertified(topic);
        })
        .catch(reject);
    };
  });
}

/** Certifies every topic, then checks each of them by a message, which is not measured. */
async function certifyAll(sender, subscriber, relays) {
  answerEverything(subscriber);
  subscribe(subscriber, [publicName]);
  subscribe(sender, names.map(pushTopic));
  await sender.barrier();
  let certified = 0;
  let last;
  const done = new Promise((resolved, reject) => {
    certify(sender, (topic) => {
      last = topic;
      if (++certified === names.length) resolved();
    }).catch(reject);
  });
  const startMs = performance.now();
  const startCpu = relays.map(cpuSeconds);
  subscribe(subscriber, [publicName, ...names.flatMap(receiverTopics)]);
  await done;
  await sender.request(last, payload);
  const totalMs = performance.now() - startMs;
  const cpuMs = relays.map((relay, at) => (cpuSeconds(relay) - startCpu[at]) * 1_000);
  for (const name of [...names, publicName]) await sender.request(name, payload);
  if (certified !== names.length) throw new Error(`${certified} questions for ${names.length} topics`);
  return { totalMs, senderRelayCpuMs: cpuMs[0], subscriberRelayCpuMs: cpuMs[1] };
}

/** A closed loop on one topic. */
async function roundTrips(sender, topic, outstanding, relays) {
  let measures = false;
  let ends = false;
  const latenciesMs = [];
  const loop = async () => {
    while (!ends) {
      const startMs = performance.now();
      await sender.request(topic, payload);
      if (measures) latenciesMs.push(performance.now() - startMs);
    }
  };
  const loops = Promise.all(Array.from({ length: outstanding }, loop));
  await Promise.race([delay(options.warmup * 1_000), loops]);
  measures = true;
  const startMs = performance.now();
  const startCpu = relays.map(cpuSeconds);
  const startOwn = process.cpuUsage();
  await Promise.race([delay(options.seconds * 1_000), loops]);
  measures = false;
  const seconds = (performance.now() - startMs) / 1_000;
  const own = process.cpuUsage(startOwn);
  const cpu = relays.reduce((sum, relay, at) => sum + cpuSeconds(relay) - startCpu[at], 0);
  ends = true;
  await loops;
  latenciesMs.sort((a, b) => a - b);
  const at = (part) => latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(part * latenciesMs.length))] * 1_000;
  return {
    perSecond: latenciesMs.length / seconds,
    p50Us: at(0.5),
    p99Us: at(0.99),
    relaysCpuUs: (cpu / latenciesMs.length) * 1e6,
    generatorCpu: (own.user + own.system) / 1e6 / seconds,
  };
}

// ---- relays and applications

async function startRelay(name, { key, cert, caCert }, dials) {
  const text = (value) => JSON.stringify(value);
  const identity = `key = ${text(key)}\ncert = ${text(cert)}\nca_cert = ${text(caCert)}\n`;
  const configFile = join(directory, `${name}.toml`);
  writeFileSync(
    configFile,
    `[[rpc.listener]]\nchannel_listen_ip = "127.0.0.1"\nchannel_listen_port = 0\n${identity}` +
      `[network_security]\n${identity}[p2p]\nlisten_ip = "127.0.0.1"\nlisten_port = 0\n` +
      `nodes = ${text(dials.map((port) => `127.0.0.1:${port}`))}\n[admin]\nlisten_ip = "127.0.0.1"\nlisten_port = 0\n`,
  );
  const child = spawn(options.node, [resolve(options.dist, 'cli/main.js'), 'relay', '--config', configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Whatever ends the bench, the relay does not outlive it.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done(signal ?? code));
  });
  ended.then(() => process.off('exit', kill));
  child.stderr.resume();
  const ready = new Promise((done) => {
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) if (line.includes('"relay ready"')) done(JSON.parse(line));
    });
  });
  const failed = ended.then((how) => {
    throw new Error(`${name} ended with ${how}`);
  });
  const { listeners, p2p, admin } = await within(Promise.race([ready, failed]), `${name} to start`);
  failed.catch(() => {});
  const stop = async () => {
    child.kill('SIGTERM');
    const how = await within(ended, `${name} to stop`, STOP_MS);
    if (how !== 0) throw new Error(`${name} ended with ${how}`);
  };
  return { pid: child.pid, port: listeners[0].port, p2pPort: p2p.port, adminPort: admin.port, stop };
}

async function waitForPeer({ adminPort }) {
  const untilMs = performance.now() + WAIT_MS;
  for (;;) {
    const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    if (/^amop_peers\{state="active"\} 1$/m.test(text)) return;
    if (performance.now() > untilMs) throw new Error('the relays are not linked');
    await delay(20);
  }
}

/** An application. `request` resolves when the answer has result 0 and, on anything but a challenge, the request's own body. */
async function connect(port, identity) {
  const socket = dialRelay(port, identity);
  let closing = false;
  const broken = new Promise((_, reject) => {
    socket.on('error', reject);
    socket.on('close', () => closing || reject(new Error('the relay closed a connection')));
  });
  broken.catch(() => {});
  const waiting = new Map();
  const client = {
    broken,
    onFrame: () => {},
    send: (frame) => socket.write(frame),
    request: (topic, bytes) =>
      new Promise((done, reject) => {
        const name = Buffer.from(topic);
        const frame = encode(TYPE.unicast, Buffer.concat([Buffer.of(1 + name.length), name, bytes]));
        waiting.set(frame.toString('latin1', 6, RESULT_OFFSET), { frame, done, reject });
        socket.write(frame);
      }),
    /** Frames of a session are handled in their order, and a heartbeat is answered. */
    barrier: () =>
      new Promise((done, reject) => {
        const frame = encode(TYPE.heartbeat, '0');
        waiting.set(frame.toString('latin1', 6, RESULT_OFFSET), { frame: undefined, done, reject });
        socket.write(frame);
      }),
    close: () => {
      closing = true;
      socket.destroy();
    },
  };
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES && rest.length >= rest.readUInt32BE(0)) {
      const frame = rest.subarray(0, rest.readUInt32BE(0));
      rest = rest.subarray(frame.length);
      const seq = frame.toString('latin1', 6, RESULT_OFFSET);
      const request = typeOf(frame) === TYPE.unicast ? undefined : waiting.get(seq);
      if (request === undefined) {
        client.onFrame(frame);
        continue;
      }
      waiting.delete(seq);
      const wrong = request.frame !== undefined && !frame.equals(answerTo(request.frame));
      if (wrong) request.reject(new Error(`a request ended with ${frame.readInt32BE(RESULT_OFFSET)}, or a wrong body`));
      else request.done();
    }
  });
  await within(Promise.race([new Promise((done) => socket.once('secureConnect', done)), broken]), 'a connection');
  return client;
}

// ---- small things

function encode(type, body, seq = randomBytes(16).toString('hex')) {
  const bytes = Buffer.from(body);
  const frame = Buffer.alloc(HEADER_BYTES + bytes.length);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt16BE(type, 4);
  frame.write(seq, 6, 'latin1');
  bytes.copy(frame, HEADER_BYTES);
  return frame;
}

function answerTo(frame) {
  const answer = Buffer.from(frame);
  answer.writeUInt16BE(TYPE.answer, 4);
  return answer;
}

function typeOf(frame) {
  return frame.readUInt16BE(4);
}

/** User and system time of a process and its threads. */
function cpuSeconds({ pid }) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function delay(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

async function within(promise, what, timeoutMs = WAIT_MS) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${timeoutMs / 1_000} s still waiting for ${what}`)), timeoutMs);
  });
  return Promise.race([promise, expired]).finally(() => clearTimeout(timer));
}

function print(machine, usable, certify, levels) {
  const { topics, rounds, seconds, warmup, smoke } = options;
  // The applications are this process.
  console.log(formatMachine(machine, process.versions.openssl));
  console.log(
    `two relays, strict sessions, secp256k1, payload ${options.payload} B, topics of ${names[0].length} B; ${rounds} rounds, ` +
      `${seconds} s after ${warmup} s warm-up for each side; median (min - max)`,
  );
  if (smoke) console.log('Smoke size: the figures mean nothing.');
  const usableRow = (last) => {
    const sorted = [...usable[last]].sort((a, b) => a - b);
    const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))].toFixed(1);
    return [last, at(0), at(0.5), at(1)];
  };
  console.log(
    formatTable(['comes last', 'usable after ms: fastest', 'median', 'slowest'], Object.keys(usable).map(usableRow)),
  );
  const over = (runs, figure) => spread(runs.map((run) => run[figure]));
  const certifyFigures = ['totalMs', 'senderRelayCpuMs', 'subscriberRelayCpuMs'];
  console.log(
    formatTable(
      ['private topics', 'certified in ms', "CPU ms, sender's relay", "CPU ms, subscriber's relay", 'ms a topic'],
      [
        [
          String(topics),
          ...certifyFigures.map((figure) => formatSpread(over(certify, figure), 0)),
          formatSpread(spread(certify.map(({ totalMs }) => totalMs / topics))),
        ],
      ],
    ),
  );
  const figures = ['perSecond', 'p50Us', 'p99Us', 'relaysCpuUs'];
  const rows = levels.flatMap((level) =>
    figures.map((figure) => [
      String(level.outstanding) + (isGeneratorBound(level) ? ' (generator-bound)' : ''),
      { perSecond: 'round trips/s', p50Us: 'p50 us', p99Us: 'p99 us', relaysCpuUs: 'CPU us, both relays' }[figure],
      formatSpread(over(level.public, figure), 1),
      formatSpread(over(level.private, figure), 1),
      formatSpread(spread(level.private.map((run, round) => run[figure] / level.public[round][figure])), 3),
    ]),
  );
  console.log(formatTable(['outstanding', 'figure', 'public', 'private', 'private/public'], rows));
  if (options.json) console.log(JSON.stringify({ bench: 'private-topics', machine, usable, certify, levels }));
}

function isGeneratorBound(level) {
  return [...level.public, ...level.private].some(({ generatorCpu }) => generatorCpu > GENERATOR_BOUND);
}

function parseOptions(argv) {
  const text = (value) => ({ type: 'string', default: value });
  const number = (name, value, min, max, whole = true) => {
    const parsed = Number(value);
    if (
      value === '' ||
      !Number.isFinite(parsed) ||
      parsed < min ||
      parsed > max ||
      (whole && !Number.isInteger(parsed))
    )
      throw new Error(`--${name}: expected a ${whole ? 'whole ' : ''}number from ${min} to ${max}, got '${value}'`);
    return parsed;
  };
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        topics: { type: 'string' },
        rounds: { type: 'string' },
        outstanding: text('1,16'),
        seconds: { type: 'string' },
        warmup: { type: 'string' },
        payload: text('128'),
        node: text(process.execPath),
        dist: text(fileURLToPath(new URL('../../dist', import.meta.url))),
        smoke: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const size = values.smoke
      ? { topics: '20', rounds: '1', seconds: '0.2', warmup: '0.1' }
      : { topics: '1000', rounds: '3', seconds: '3', warmup: '1' };
    return {
      ...values,
      topics: number('topics', values.topics ?? size.topics, 1, TOPICS_MAX),
      rounds: number('rounds', values.rounds ?? size.rounds, 1, 100),
      outstanding: values.outstanding.split(',').map((one) => number('outstanding', one, 1, 1_000)),
      seconds: number('seconds', values.seconds ?? size.seconds, 0.05, 3_600, false),
      warmup: number('warmup', values.warmup ?? size.warmup, 0, 600, false),
      payload: number('payload', values.payload, 0, 1_000_000),
    };
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
