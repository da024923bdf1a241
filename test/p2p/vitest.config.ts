import { defineConfig } from 'vitest/config';

/** The tests that join relays over the P2P port: `npx vitest run --config test/p2p/vitest.config.ts`. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/p2p/**/*.p2p.ts', 'test/p2p/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1, // each file runs up to three relays, and some measure times
    testTimeout: 20_000,
    hookTimeout: 30_000,
    teardownTimeout: 5_000,
  },
});
