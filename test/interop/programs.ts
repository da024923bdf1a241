/**
 * Who takes part: an SDK with a kind of certificate, and the command that runs its program. `npm run interop` builds the
 * programs and says in the environment where they are.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DIST_DIR, type Kind } from '../helpers/pki.js';

/** The rows and columns of the matrix. */
export const PARTIES = ['java-rsa', 'java-secp256k1', 'go', 'typescript'] as const;

/** Go SDK v1.0.0 reconnects, v1.1.1 does not. */
export type Party = (typeof PARTIES)[number] | 'go-v1.0.0';

export const KIND_OF: Readonly<Record<Party, Kind>> = {
  'java-rsa': 'rsa',
  'java-secp256k1': 'secp256k1',
  go: 'secp256k1',
  'go-v1.0.0': 'secp256k1',
  typescript: 'secp256k1',
};

/** What each program must say it runs: nothing else is proven. */
export const SDK_OF: Readonly<Record<Party, string>> = {
  'java-rsa': 'fisco-bcos-java-sdk-2.10.1',
  'java-secp256k1': 'fisco-bcos-java-sdk-2.10.1',
  go: 'go-sdk v1.1.1',
  'go-v1.0.0': 'go-sdk v1.0.0',
  typescript: 'amop-relay/client',
};

interface Built {
  readonly java: string;
  readonly classPath: string;
  readonly go: string;
  readonly goReconnecting: string;
}

/** Command and arguments; `dir` is the program's own folder, where it may leave files. */
export function programOf(party: Party, dir: string): readonly [string, ...string[]] {
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  if (party === 'typescript')
    return [process.execPath, here('typescript/driver.mjs'), join(DIST_DIR, 'client/index.js')];
  const built = builtPrograms();
  if (party === 'go') return [built.go];
  if (party === 'go-v1.0.0') return [built.goReconnecting];
  return [
    built.java,
    '-Xmx256m',
    '-XX:+UseSerialGC',
    // Topics become bytes in the charset of the platform.
    '-Dfile.encoding=UTF-8',
    // The SDK unpacks its native library into the home of the user; two at once would overwrite each other's.
    `-Duser.home=${dir}`,
    `-Djava.io.tmpdir=${dir}`,
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    ...(party === 'java-secp256k1'
      ? [
          // The JDK's own TLS has no secp256k1; the TLS library of the SDK has, with a provider that knows the curve.
          '-Dfisco.netty.enable.openssl.provider=true',
          `-Djava.security.properties=${here('java/bouncycastle.security')}`,
        ]
      : []),
    '-cp',
    built.classPath,
    'interop.Main',
  ];
}

function builtPrograms(): Built {
  const text = process.env.AMOP_INTEROP_PROGRAMS;
  if (text === undefined) throw new Error('the programs around the SDKs are not built: start with `npm run interop`');
  return JSON.parse(text) as Built;
}
