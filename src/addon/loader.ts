import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText } from '../base/errors.js';

/** What the addon must announce (native/addon.cc): rows and exports as this source expects them. */
const CONTRACT = 2;

/** From src/addon and from dist/addon alike the package root is two folders up. */
const ADDON_FILE = fileURLToPath(new URL('../../build/Release/amop_native.node', import.meta.url));

/** The native scanner without argument checks: wrong arguments yield a status, never an exception or a stray access. */
export interface NativeFrameScanner {
  /** @returns undefined, or -1 when called wrongly (nothing written) */
  scan(chunk: Uint8Array, start: number, rows: Int32Array): undefined | -1;
  /** @returns 0, -1 when called wrongly, -2 without memory */
  intern(topic: Uint8Array, id: number): 0 | -1 | -2;
  release(topic: Uint8Array): boolean;
  lookup(topic: Uint8Array): number;
  readonly size: number;
}

export const NativeStatus = {
  ok: 0,
  calledWrongly: -1,
  /** More batches under way than the addon allows. */
  busy: -2,
  noMemory: -3,
  /** 0, or not below the order of the curve. */
  noPrivateKey: 1,
} as const;

/** libsecp256k1 without argument checks; an object that was made wrongly, or without memory, answers -1 to everything. */
export interface NativeSecp256k1 {
  /** Copies the rows. Unless a status other than 0 is returned, `done` is called once, without results if memory is short. */
  verifyBatch(rows: Uint8Array, done: (results?: Uint8Array) => void): number;
  recoverBatch(rows: Uint8Array, done: (results?: Uint8Array) => void): number;
  sign(digest: Uint8Array, privateKey: Uint8Array, signature: Uint8Array): number;
  publicFromPrivate(privateKey: Uint8Array, publicKey: Uint8Array): number;
}

export interface NativeAddon {
  readonly contract: number;
  readonly FrameScanner: new (frameBytesMax: number, seed: Uint8Array) => NativeFrameScanner;
  readonly Secp256k1: new (seed: Uint8Array) => NativeSecp256k1;
  keccak256(bytes: Uint8Array, digest: Uint8Array): number;
}

export type NativeAttempt =
  | { readonly addon: NativeAddon; readonly reason?: undefined }
  | { readonly addon?: undefined; readonly reason: string };

/**
 * Loads the addon or says in one sentence why not and what to do. `AMOP_NATIVE=off` in `env` forces the TypeScript twins.
 * Safe in every worker thread; Node keeps the loaded module, so calling it again is cheap.
 */
export function tryNative(env: NodeJS.ProcessEnv = process.env, file: string = ADDON_FILE): NativeAttempt {
  if (env.AMOP_NATIVE === 'off') return { reason: 'the native addon is switched off by AMOP_NATIVE=off' };
  let loaded: unknown;
  try {
    loaded = createRequire(import.meta.url)(file);
  } catch (error) {
    return {
      reason: `the native addon does not load; run "${buildCommand()}" (${errorText(error).split('\n')[0]})`,
    };
  }
  if (!isNativeAddon(loaded)) {
    return { reason: `the native addon was built from other sources; run "${buildCommand()}"` };
  }
  return { addon: loaded };
}

/** The addon, or undefined where `tryNative` gives a reason. */
export function loadNative(env: NodeJS.ProcessEnv = process.env): NativeAddon | undefined {
  return tryNative(env).addon;
}

/** In a clone npm has a name for it; an installed package lacks the tools, which the script then fetches. */
export function buildCommand(file: string = ADDON_FILE): string {
  const root = dirname(dirname(dirname(file)));
  const isInstalled = dirname(root).endsWith('node_modules');
  return isInstalled ? `node ${join(root, 'scripts', 'build-native.mjs')} --fetch-tools` : 'npm run build:native';
}

function isNativeAddon(loaded: unknown): loaded is NativeAddon {
  return typeof loaded === 'object' && loaded !== null && 'contract' in loaded && loaded.contract === CONTRACT;
}
