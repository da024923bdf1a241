// Compiles src/ to dist/ from scratch, so that no module of an earlier build survives, and stamps the build.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.json'], { cwd: root, stdio: 'inherit' });
if (result.status === 0) {
  const main = new URL('../dist/cli/main.js', import.meta.url);
  try {
    chmodSync(main, 0o755);
  } catch {
    // Only missing while the command line does not exist yet.
  }
}
process.exit(result.status ?? 1);
