/** Key pairs of private topics in a folder, made by `amop keys generate` as people make them. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DIST_DIR } from '../helpers/pki.js';
import type { PrivateKeyFile } from './driver.js';

export type KeyForm = 'pem' | 'p12';

const PASSWORD = 'interop 123456';

export interface KeyPair {
  readonly privateKey: PrivateKeyFile;
  readonly publicKeyFile: string;
}

export class TopicKeys {
  private readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async create(): Promise<TopicKeys> {
    const keys = new TopicKeys(await mkdtemp(join(tmpdir(), 'amop-relay-interop-keys-')));
    await writeFile(join(keys.dir, 'password'), PASSWORD, { mode: 0o600 });
    return keys;
  }

  async generate(name: string, form: KeyForm): Promise<KeyPair> {
    const path = join(this.dir, name);
    const options = form === 'p12' ? ['--p12', '--new-password-file', join(this.dir, 'password')] : [];
    await promisify(execFile)(process.execPath, [join(DIST_DIR, 'cli/main.js'), 'keys', 'generate', path, ...options]);
    return {
      privateKey: { keyFile: `${path}.${form}`, ...(form === 'p12' ? { password: PASSWORD } : {}) },
      publicKeyFile: `${path}.public.pem`,
    };
  }

  remove(): Promise<void> {
    return rm(this.dir, { recursive: true, force: true });
  }
}
