import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

describe('native addon in worker threads', () => {
  it('keeps its state apart and survives the end of each environment', () => {
    const child = fileURLToPath(new URL('workers-child.mjs', import.meta.url));
    const addon = fileURLToPath(new URL('../../../build/Release/amop_native.node', import.meta.url));
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [child, addon], {
      encoding: 'utf8',
      timeout: 15_000,
    });
    expect({ status, signal, stdout, stderr }).toEqual({ status: 0, signal: null, stdout: 'survived\n', stderr: '' });
  });
});
