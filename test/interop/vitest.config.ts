import { defineConfig } from 'vitest/config';
import { SecondTries, TRIES_MORE } from '../helpers/second-tries.js';

/** The real SDKs against the built relay; run it by `npm run interop`, which builds their programs first. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/interop/**/*.interop.ts'],
    pool: 'forks',
    maxWorkers: 1, // up to four JVMs at a time, and some files measure times
    allowOnly: false,
    retry: TRIES_MORE,
    reporters: ['default', new SecondTries()],
    disableConsoleIntercept: true, // the tables
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 10_000,
  },
});
