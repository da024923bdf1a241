// What a figure depends on beside the code, so that it is never read without it.
import os from 'node:os';

/** The machine as an object for the result file; `versions` are those of the Node that runs the relay. */
export function describeMachine(versions) {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    node: versions.node,
    nodeOpenssl: versions.openssl,
    // Other work on the machine before the bench began; far above 0 makes the figures worthless.
    loadBefore: Number(os.loadavg()[0].toFixed(2)),
    date: new Date().toISOString(),
  };
}

/** The same as one line; `generatorOpenssl` where a generator of its own ran. */
export function formatMachine(machine, generatorOpenssl) {
  return (
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}; ` +
    `Node ${machine.node} (OpenSSL ${machine.nodeOpenssl})` +
    `${generatorOpenssl === undefined ? '' : `, generator OpenSSL ${generatorOpenssl}`}; ` +
    `load before ${machine.loadBefore}; ${machine.date}`
  );
}
