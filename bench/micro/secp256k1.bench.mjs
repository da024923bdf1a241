// Verifications of secp256k1 signatures a second on one core: the addon against node:crypto (OpenSSL) and @noble/curves.
//
//   node bench/micro/secp256k1.bench.mjs [--smoke] [--dist=DIR] [--rounds=5] [--rows=64] [--seed=1]
//
// Needs dist/ and the addon (npm run build, npm run build:native). --smoke runs every case briefly: it shows that the bench
// works, its figures mean nothing.
//
// Every case checks the same signatures by the same keys over the same digests. The figure is verifications for each second of
// CPU that the process spent, all its threads and everything around the checks included; what the clock says stands beside it,
// and other work on the machine spoils mostly that. One batch of the addon is in flight at a time. "native strict" looks at v too,
// "native compact" at r and s only, as the others do. node:crypto cannot take a digest: it gets the 32-byte message and hashes it
// with SHA-256, which makes the digest of the others (0.5 us of its time), a KeyObject made beforehand, and DER, the form that
// costs it least. Rounds are interleaved and turn the order of the cases by one each.
import { createHash, createPublicKey, verify as cryptoVerify } from 'node:crypto';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { secp256k1 as noble } from '@noble/curves/secp256k1.js';
import benny from 'benny';
import { describeMachine } from '../harness/machine.mjs';
import { formatNumber, formatSpread, formatTable, spread } from '../harness/summary.mjs';

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    dist: { type: 'string', default: fileURLToPath(new URL('../../dist', import.meta.url)) },
    rounds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
  },
});
const dist = (file) => import(pathToFileURL(resolve(values.dist, file)).href);
const { createSecp256k1 } = await dist('addon/secp256k1.js');
const { writeVerifyRow } = await dist('addon/secp256k1-rows.js');
const { VERIFY_ROW_BYTES } = await dist('addon/secp256k1-types.js');

const rounds = values.smoke ? 1 : Number(values.rounds);
const count = values.smoke ? 4 : Number(values.rows);
const TIMEOUT_MS = 60_000;
const BASELINE = 'node:crypto';

const native = await createSecp256k1('native');

/** Signatures by as many keys, all of them made from the seed. */
const samples = Array.from({ length: count }, (_, i) => {
  const privateKey = createHash('sha256').update(`key ${values.seed} ${i}`).digest();
  const message = createHash('sha256').update(`message ${values.seed} ${i}`).digest();
  const digest = createHash('sha256').update(message).digest();
  const publicKey = native.publicFromPrivate(privateKey);
  const signature = native.sign(digest, privateKey);
  const compact = signature.subarray(0, 64);
  const jwk = {
    kty: 'EC',
    crv: 'secp256k1',
    x: Buffer.from(publicKey.subarray(0, 32)).toString('base64url'),
    y: Buffer.from(publicKey.subarray(32)).toString('base64url'),
  };
  return {
    message,
    digest,
    publicKey,
    signature,
    compact,
    keyObject: createPublicKey({ key: jwk, format: 'jwk' }),
    der: noble.Signature.fromBytes(compact, 'compact').toBytes('der'),
    point: Uint8Array.of(4, ...publicKey),
  };
});

function rowsOf(rule, wrong = false) {
  const rows = new Uint8Array(count * VERIFY_ROW_BYTES);
  for (const [i, { signature, compact, digest, publicKey }] of samples.entries()) {
    const own = { signature: rule === 'compact' ? compact : signature, digest, publicKey, rule };
    writeVerifyRow(rows, i, wrong ? { ...own, digest: publicKey.subarray(0, 32) } : own);
  }
  return rows;
}

async function nativeValid(rows) {
  const results = await native.verifyBatch(rows, TIMEOUT_MS);
  if (typeof results === 'string') throw new Error(`native: ${results}`);
  return results.reduce((sum, result) => sum + result, 0);
}
function cryptoValid(pick = (sample) => sample.message) {
  return samples.filter((sample) => cryptoVerify('sha256', pick(sample), sample.keyObject, sample.der)).length;
}
function nobleValid(pick = (sample) => sample.digest) {
  const options = { prehash: false, lowS: true, format: 'compact' };
  return samples.filter((sample) => noble.verify(sample.compact, pick(sample), sample.point, options)).length;
}

// All of them find the same: every right signature, and none for another digest.
const wrongDigest = (sample) => sample.publicKey.subarray(0, 32);
const found = [
  [await nativeValid(rowsOf('strict')), await nativeValid(rowsOf('strict', true))],
  [await nativeValid(rowsOf('compact')), await nativeValid(rowsOf('compact', true))],
  [cryptoValid(), cryptoValid(wrongDigest)],
  [nobleValid(), nobleValid(wrongDigest)],
];
for (const [right, wrong] of found) {
  if (right !== count || wrong !== 0) throw new Error(`the implementations disagree: ${JSON.stringify(found)}`);
}

const strictRows = rowsOf('strict');
const compactRows = rowsOf('compact');
const cases = [
  ['native compact', () => nativeValid(compactRows)],
  ['native strict', () => nativeValid(strictRows)],
  [BASELINE, () => cryptoValid()],
  ['@noble/curves', () => nobleValid()],
];

const options = values.smoke
  ? { minSamples: 1, maxTime: 0.005, delay: 0, initCount: 1, minTime: 0.001 }
  : { minSamples: 5, maxTime: 1, delay: 0.05 };
const perCpuSecond = new Map(cases.map(([name]) => [name, []]));
const perSecond = new Map(cases.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < cases.length; i++) {
    const [name, run] = cases[(i + round) % cases.length];
    let batches = 0;
    const counted = () => {
      batches++;
      return run();
    };
    const before = process.cpuUsage();
    const { results } = await benny.suite(
      name,
      benny.add(name, async () => counted, options),
    );
    const { user, system } = process.cpuUsage(before);
    perCpuSecond.get(name).push((batches * count * 1e6) / (user + system));
    perSecond.get(name).push(count / results[0].details.median);
  }
}

const baseline = perCpuSecond.get(BASELINE);
const { cpu, cores, kernel, node, nodeOpenssl, loadBefore, date } = describeMachine(process.versions);
console.log(`${cpu}, ${cores} cores, ${kernel}; Node ${node} (OpenSSL ${nodeOpenssl}); load ${loadBefore}; ${date}`);
console.log(`${count} signatures a batch, ${rounds} rounds, seed ${values.seed}${values.smoke ? ', smoke' : ''}`);
console.log(
  formatTable(
    ['case', 'verifications/s of CPU', 'CPU us each', `times ${BASELINE}`, 'verifications/s by the clock'],
    [...perCpuSecond].map(([name, rates]) => [
      name,
      formatSpread(spread(rates)),
      formatNumber(1e6 / spread(rates).median),
      formatSpread(spread(rates.map((rate, round) => rate / baseline[round]))),
      formatSpread(spread(perSecond.get(name))),
    ]),
  ),
);
