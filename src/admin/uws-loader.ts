/**
 * Finds the binary of uWebSockets.js for this Node. The package's own entry falls back to a JavaScript imitation without
 * saying so; loading the binary itself does not.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { errorText } from '../base/errors.js';
import type { UwsModule } from './uws.js';

export type UwsLoadResult =
  | { readonly ok: true; readonly uws: UwsModule }
  /** In words, for the log. */
  | { readonly ok: false; readonly why: string };

export function loadUws(): UwsLoadResult {
  const require = createRequire(import.meta.url);
  let home: string;
  try {
    home = path.dirname(require.resolve('uWebSockets.js/package.json'));
  } catch {
    return { ok: false, why: 'the optional package uWebSockets.js is not installed' };
  }
  const { modules, node } = process.versions;
  const binary = path.join(home, 'binaries', `uws_${process.platform}_${process.arch}_${modules}.node`);
  if (!existsSync(binary)) {
    return {
      ok: false,
      why: `it has no binary for Node ${node} (ABI ${modules}) on ${process.platform}-${process.arch}`,
    };
  }
  try {
    return { ok: true, uws: require(binary) as UwsModule };
  } catch (error) {
    // Another C library, for example musl.
    return { ok: false, why: `its binary does not load: ${errorText(error)}` };
  }
}
