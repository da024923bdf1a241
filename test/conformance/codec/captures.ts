import { readFileSync } from 'node:fs';

export interface ChannelCapture {
  readonly file: string;
  readonly direction: 'client->node' | 'node->client';
  readonly scenario: string;
  readonly length: number;
  readonly type: string;
  readonly seq: string;
  readonly result: number;
  readonly data_utf8?: string;
  readonly hex: string;
}

export interface P2PCapture {
  readonly file: string;
  readonly length: number;
  /** Absent in RC1. */
  readonly version?: string;
  readonly protocolID: number;
  readonly packetType: number;
  readonly seq: number;
  readonly payload_len: number;
  /** Absent in RC1. */
  readonly uncompressed_len?: number;
  readonly hex: string;
}

function load<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`../../fixtures/captures-2.x/${name}`, import.meta.url), 'utf8'));
}

export const channelCaptures = load<ChannelCapture>('channel.json');
export const p2pCaptures = load<P2PCapture>('p2p.json');
export const rc1Captures = load<P2PCapture>('p2p-rc1.json');

export const bytesOf = (capture: { readonly hex: string }): Buffer => Buffer.from(capture.hex, 'hex');
