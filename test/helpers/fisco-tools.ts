/** The folders that the tools of FISCO BCOS 2.x made for the tests, see test/fixtures/fisco-tools/make.sh. */
import { chmodSync, cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_DIR } from './pki.js';

export const FISCO = join(PROJECT_DIR, 'test/fixtures/fisco-tools');

/** Copies with the modes that the tools give; a clone of the repository has lost them. */
export function copyClosed(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  const close = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) close(path);
      else if (/\.(?:key|p12)$/.test(entry.name)) chmodSync(path, 0o600);
    }
  };
  close(to);
}
