// Run by workers.test.ts in a process of its own: `node workers-child.mjs ADDON`. Loads the addon in several worker threads,
// at once and one after the other; some end by themselves, the others are terminated while they
// scan, make scanners or load. Prints "survived" and exits 0, or dies the way a bug makes it die.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const addonFile = isMainThread ? process.argv[2] : workerData.addonFile;
const { FrameScanner } = require(addonFile);

function frame(topic) {
  const bytes = Buffer.alloc(43 + topic.length, topic);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt16BE(0x30, 4);
  bytes[42] = topic.length + 1;
  bytes.write(topic, 43);
  return bytes;
}

/** Makes `count` scanners with 200 topics each and returns how often the last topic was found. */
function exercise(count, own) {
  const scanners = Array.from({ length: count }, () => new FrameScanner(1000, Buffer.alloc(16, own)));
  const rows = new Int32Array(4 + 6 * 8);
  const chunk = Buffer.concat([frame(`t${own}-199`), frame(`t${own + 1}-199`)]);
  let found = 0;
  for (const scanner of scanners) {
    for (let i = 0; i < 200; i++) scanner.intern(Buffer.from(`t${own}-${i}`), i);
    scanner.scan(chunk, 0, rows);
    // The other topic belongs to another worker: seeing it would mean shared state.
    if (rows[1] === 2 && rows[8] === 199 && rows[14] === -1) found++;
  }
  return { found, scanners, chunk, rows };
}

if (!isMainThread) {
  const { found, scanners, chunk, rows } = exercise(20, workerData.own);
  parentPort.postMessage(found);
  if (workerData.ends === 'scanning') {
    for (;;) for (const scanner of scanners) scanner.scan(chunk, 0, rows);
  }
  if (workerData.ends === 'constructing') {
    for (;;) exercise(1, workerData.own);
  }
} else {
  const here = exercise(20, 0);
  for (let round = 0; round < 8; round++) {
    await Promise.all(
      Array.from({ length: 4 }, async (_, i) => {
        const ends = ['scanning', 'constructing', 'loading', 'returning'][i];
        const own = 10 * (i + 1);
        const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { addonFile, own, ends } });
        const exit = once(worker, 'exit');
        if (ends === 'loading') {
          await once(worker, 'online');
          await worker.terminate();
          return;
        }
        const [found] = await once(worker, 'message');
        if (found !== 20) throw new Error(`worker ${i} found ${found} of 20`);
        if (ends !== 'returning') await worker.terminate();
        await exit;
      }),
    );
    // The main thread's scanners outlive the workers' environments.
    here.scanners[0].scan(here.chunk, 0, here.rows);
    if (here.rows[8] !== 199) throw new Error('the main thread lost its topics');
  }
  // Leaves with workers still scanning: the process tears their environments down.
  const last = new Worker(fileURLToPath(import.meta.url), { workerData: { addonFile, own: 99, ends: 'scanning' } });
  await once(last, 'message');
  console.log('survived');
  process.exit(0);
}
