/** Writes keys and certificates: mode right from the first byte, nothing overwritten unless it was said. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorText, RelayError } from '../base/errors.js';

export interface FileToWrite {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Mode 0600 instead of 0644. */
  readonly secret: boolean;
}

/**
 * Writes all of them or, when one is there already, none. A reader sees the old file or the new one, never half of one.
 *
 * @param overwrite whether existing files may be replaced; `hint` says how the caller can be told so
 * @throws RelayError `usage` for an existing file, `config-unreadable` when one cannot be written
 */
export function writeFiles(files: readonly FileToWrite[], overwrite: boolean, hint: string): void {
  const present = files.find(({ path }) => !overwrite && existsSync(path));
  if (present !== undefined) throw new RelayError('usage', `${present.path} is there already; ${hint}`);
  for (const { path, content, secret } of files) {
    const mode = secret ? 0o600 : 0o644;
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, content, { mode, flag: 'wx' });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw new RelayError('config-unreadable', `${path} cannot be written: ${errorText(error)}`, error);
    }
  }
}

/** Makes the folder `path` if it is missing, closed to others. @throws RelayError `config-unreadable` */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new RelayError('config-unreadable', `${path} cannot be made: ${errorText(error)}`, error);
  }
}

export function makeFolderOf(file: string): void {
  makeFolder(dirname(file));
}
