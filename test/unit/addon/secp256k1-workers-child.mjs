// Run by workers.test.ts in a process of its own: `node secp256k1-workers-child.mjs ADDON`. Worker threads check signatures in
// batches and end with batches in flight: terminated from outside, by process.exit inside a callback, or by running out of
// work; some drop the object whose batches are in flight. Prints "survived" and exits 0, or dies the way a bug makes it die.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const ROUNDS = 12;
const IN_FLIGHT = 8;
const ROWS = 16;

const require = createRequire(import.meta.url);
const addonFile = isMainThread ? process.argv[2] : workerData.addonFile;
const { Secp256k1 } = require(addonFile);

/** A batch whose rows are valid but for every third one. */
function makeRows(secp256k1, own) {
  const key = new Uint8Array(32).fill(own + 1);
  const publicKey = new Uint8Array(64);
  if (secp256k1.publicFromPrivate(key, publicKey) !== 0) throw new Error('no public key');
  const rows = Array.from({ length: ROWS }, (_, i) => {
    const digest = new Uint8Array(32).fill(i);
    const signature = new Uint8Array(65);
    if (secp256k1.sign(digest, key, signature) !== 0) throw new Error('no signature');
    if (i % 3 === 0) digest[0] ^= 1;
    return Buffer.concat([Buffer.of(i % 4 === 3 ? 2 : 0, 65), signature, digest, publicKey]);
  });
  return Buffer.concat(rows);
}

/** Keeps IN_FLIGHT batches under way for ever; `each` is called with every result. */
function keepBusy(secp256k1, rows, each) {
  const next = () => {
    const status = secp256k1.verifyBatch(rows, (results) => {
      each(results);
      next();
    });
    if (status !== 0) throw new Error(`status ${status}`);
  };
  for (let i = 0; i < IN_FLIGHT; i++) next();
}

function isRight(results) {
  return results.length === ROWS && results.every((result, i) => result === (i % 3 === 0 ? 0 : 1));
}

function runWorker({ own, ends }) {
  let secp256k1 = new Secp256k1(Buffer.alloc(32, own));
  const rows = makeRows(secp256k1, own);
  let batches = 0;
  const report = (results) => {
    if (!isRight(results)) throw new Error('wrong results');
    if (++batches === 2) parentPort.postMessage('busy');
    if (batches >= 4 && ends === 'exiting') process.exit(0);
  };
  if (ends !== 'collected') {
    keepBusy(secp256k1, rows, report);
    return;
  }
  for (let i = 0; i < IN_FLIGHT; i++) secp256k1.verifyBatch(rows, report);
  secp256k1 = undefined;
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

async function runRound() {
  await Promise.all(
    ['terminated', 'terminated', 'exiting', 'collected'].map(async (ends, own) => {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { addonFile, own, ends } });
      const exit = once(worker, 'exit');
      await once(worker, 'message');
      if (ends === 'terminated') await worker.terminate();
      await exit;
    }),
  );
}

if (!isMainThread) {
  runWorker(workerData);
} else {
  const here = new Secp256k1(Buffer.alloc(32, 99));
  const rows = makeRows(here, 99);
  let batches = 0;
  keepBusy(here, rows, (results) => {
    if (!isRight(results)) throw new Error('the main thread got wrong results');
    batches++;
  });
  for (let round = 0; round < ROUNDS; round++) await runRound();
  if (batches === 0) throw new Error('the main thread got no results');
  // Leaves with batches in flight here and in a worker: the process tears both environments down.
  const last = new Worker(fileURLToPath(import.meta.url), { workerData: { addonFile, own: 7, ends: 'terminated' } });
  await once(last, 'message');
  console.log('survived');
  process.exit(0);
}
