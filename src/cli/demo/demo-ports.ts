/** The ports of the demonstration's two relays. */
import { RelayError } from '../../base/errors.js';
import { DEFAULT_PORT } from '../../client/bounds.js';
import type { DemoAgency } from '../../pki/demo.js';
import { underNpm } from './npm-watch.js';
import { findUnavailablePort } from './ports.js';

export interface RelayPorts {
  readonly secp256k1: number;
  readonly rsa: number;
  readonly p2p: number;
  readonly admin: number;
}

export type DemoPorts = Readonly<Record<DemoAgency, RelayPorts>>;

const P2P_PORT = 30_300;
const ADMIN_PORT = 9_090;
/** From the first relay's ports to the second's. */
const STEP = 10;

/** Ports from a base on, one behind the other. */
export const PORTS_FROM_BASE = 8;

/** How far a suggested port base lies from a taken one. */
const PORT_BASE_STEP = 1_000;

export function demoPorts(base: number | undefined): DemoPorts {
  if (base === undefined) {
    const usual = (step: number) => ({
      secp256k1: DEFAULT_PORT + step,
      rsa: DEFAULT_PORT + step + 1,
      p2p: P2P_PORT + step,
      admin: ADMIN_PORT + step / STEP,
    });
    return { 'bank-a': usual(0), 'bank-b': usual(STEP) };
  }
  const from = (first: number) => ({ secp256k1: first, rsa: first + 1, p2p: first + 2, admin: first + 3 });
  const any = { secp256k1: 0, rsa: 0, p2p: 0, admin: 0 };
  return base === 0 ? { 'bank-a': any, 'bank-b': any } : { 'bank-a': from(base), 'bank-b': from(base + 4) };
}

/** @throws RelayError `listen-failed` that names the first port that cannot be used and how to choose others */
export async function requirePorts(host: string, ports: DemoPorts): Promise<void> {
  const all = Object.values(ports).flatMap(({ secp256k1, rsa, p2p, admin }) => [secp256k1, rsa, p2p, admin]);
  const failed = await findUnavailablePort(host, all);
  if (failed === undefined) return;
  const why = failed.code === 'EADDRINUSE' ? 'is taken by another process' : `cannot be used (${failed.code})`;
  const base = (ports['bank-a'].secp256k1 + PORT_BASE_STEP) % 60_000;
  const command = underNpm() ? 'npm start -- --port-base' : 'amop demo --port-base';
  throw new RelayError('listen-failed', `port ${failed.port} on ${host} ${why}; choose others: ${command} ${base}`);
}
