// Frame scanner, native against TypeScript twin against the one that chooses, by frames a chunk.
//
//   node bench/micro/scanner.bench.mjs [--smoke] [--dist=DIR] [--payload=128] [--topics=1000]
//
// Needs dist/ and the addon (npm run build, npm run build:native). --smoke runs every case briefly: it shows that the bench
// works, its figures mean nothing. Every case scans the same chunks; a checksum of the rows must agree.
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import benny from 'benny';

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    dist: { type: 'string', default: fileURLToPath(new URL('../../dist', import.meta.url)) },
    payload: { type: 'string', default: '128' },
    topics: { type: 'string', default: '1000' },
  },
});
const payloadBytes = Number(values.payload);
const topicsCount = Number(values.topics);
const { createFrameScanner } = await import(pathToFileURL(resolve(values.dist, 'addon/scanner.js')).href);

const FRAMES = [1, 2, 3, 4, 8, 64];
const IMPLEMENTATIONS = ['native', 'typescript', 'auto'];
/** Different chunks a case cycles through, so that neither cache nor branch predictor learns one by heart. */
const CHUNKS = 64;
const HEADER_BYTES = 42;
const UNICAST = 0x30;
const ROWS = new Int32Array(4 + 256 * 6);

const topics = Array.from({ length: topicsCount }, (_, i) => Buffer.from(`agency.settlement.${i}`));

/** A 0x30 frame on `topic`. */
function frame(topic, seq) {
  const bytes = Buffer.alloc(HEADER_BYTES + 1 + topic.length + payloadBytes, 0x61);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt16BE(UNICAST, 4);
  bytes.write(seq.toString(16).padStart(32, '0'), 6, 'latin1');
  bytes.writeInt32BE(0, 38);
  bytes[HEADER_BYTES] = topic.length + 1;
  topic.copy(bytes, HEADER_BYTES + 1);
  return bytes;
}

function chunksOf(frames) {
  let seq = 0;
  const next = () => frame(topics[(seq++ * 7919) % topics.length], seq);
  return Array.from({ length: CHUNKS }, () => Buffer.concat(Array.from({ length: frames }, next)));
}

function checksum(scanner, chunks) {
  let sum = 0;
  for (const chunk of chunks) {
    scanner.scan(chunk, 0, ROWS);
    for (let i = 0; i < 4 + ROWS[1] * 6; i++) sum = (Math.imul(sum, 31) + ROWS[i]) | 0;
  }
  return sum;
}

const scanners = IMPLEMENTATIONS.map((prefer) => [prefer, createFrameScanner({ frameBytesMax: 1 << 20 }, prefer)]);
for (const [, scanner] of scanners) {
  for (const [id, topic] of topics.entries()) scanner.intern(topic, id);
}

const options = values.smoke
  ? { minSamples: 1, maxTime: 0.005, delay: 0, initCount: 1, minTime: 0.001 }
  : { maxTime: 1 };
console.log(
  `node ${process.version}, payload ${payloadBytes} B, ${topicsCount} topics${values.smoke ? ', smoke' : ''}`,
);
for (const frames of FRAMES) {
  const chunks = chunksOf(frames);
  const sums = new Set(scanners.map(([, scanner]) => checksum(scanner, chunks)));
  if (sums.size !== 1) throw new Error(`the scanners disagree on chunks of ${frames} frames`);
  const cases = scanners.map(([name, scanner]) =>
    benny.add(
      name,
      () => {
        let i = 0;
        return () => scanner.scan(chunks[i++ & (CHUNKS - 1)], 0, ROWS);
      },
      options,
    ),
  );
  // No benny.cycle or benny.complete: its progress lines are for a terminal, and the unit here is ns a chunk.
  const summary = await benny.suite(`${frames} frames`, ...cases);
  const line = summary.results.map(({ name, ops }) => {
    const ns = 1e9 / ops;
    return `${name} ${ns.toFixed(0).padStart(5)} ns/chunk ${(ns / frames).toFixed(1).padStart(6)} ns/frame`;
  });
  console.log(`${String(frames).padStart(3)} frames: ${line.join(' | ')}`);
}
