/** The frames captured between two real nodes (see the fixture's README), with their bytes and their header parsed. */
import { readFileSync } from 'node:fs';
import { decodeP2P, type Format, type P2PFrame } from './p2p-wire.js';

export interface CapturedP2PFrame extends P2PFrame {
  /** Without prefix and extension: `amop-10-unicast-01-node0-request`. */
  readonly name: string;
  readonly fromNode: 0 | 1;
}

export function capturedP2P(format: Format): CapturedP2PFrame[] {
  const file = format === 'rc1' ? 'p2p-rc1.json' : 'p2p.json';
  const path = new URL(`../../fixtures/captures-2.x/${file}`, import.meta.url);
  const records = JSON.parse(readFileSync(path, 'utf8')) as { file: string; from_node: 0 | 1; hex: string }[];
  return records.map((record) => ({
    ...decodeP2P(format, Buffer.from(record.hex, 'hex')),
    name: record.file.replace(/^p2p-(rc1-)?/, '').replace(/\.hex$/, ''),
    fromNode: record.from_node,
  }));
}

/** A captured AMOP exchange: what node 0 sent and what node 1 answered; a multicast has no answer. */
export interface CapturedExchange {
  readonly name: string;
  readonly request: CapturedP2PFrame;
  readonly answer: CapturedP2PFrame | undefined;
}

/** The exchanges on public topics, in their order. */
export function capturedExchanges(format: Format): CapturedExchange[] {
  const frames = capturedP2P(format).filter(
    ({ protocolId, name }) => Math.abs(protocolId) === 1 && !name.includes('private'),
  );
  return frames
    .filter(({ protocolId }) => protocolId > 0)
    .map((request) => ({
      name: request.name,
      request,
      answer: frames.find(({ protocolId, seq }) => protocolId < 0 && seq === request.seq),
    }));
}
