import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

describe('native addon in worker threads', () => {
  it.each([
    ['keeps its state apart and survives the end of each environment', 'workers-child.mjs'],
    ['survives environments that end with signature batches in flight', 'secp256k1-workers-child.mjs'],
  ])(
    '%s',
    (_, name) => {
      const child = fileURLToPath(new URL(name, import.meta.url));
      const addon = fileURLToPath(new URL('../../../build/Release/amop_native.node', import.meta.url));
      const { status, signal, stdout, stderr } = spawnSync(process.execPath, [child, addon], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      expect({ status, signal, stdout, stderr }).toEqual({ status: 0, signal: null, stdout: 'survived\n', stderr: '' });
    },
    65_000,
  );
});
