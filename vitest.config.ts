import { defineConfig } from 'vitest/config';
import { SecondTries, TRIES_MORE } from './test/helpers/second-tries.js';

// Everything runs in forked processes: worker threads would share the address space with the addon under test
// and hide crashes of one file behind another.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/interop/**'],
    pool: 'forks',
    maxWorkers: 3,
    retry: TRIES_MORE,
    reporters: ['default', new SecondTries()],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    teardownTimeout: 5_000,
  },
});
