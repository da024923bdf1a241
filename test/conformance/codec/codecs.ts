import { type ChannelFrame, decodeFrame, encodeFrame } from '../../../src/wire/channel/frame.js';
import { decodeP2PFrame, encodeP2PFrame, type P2PFrame } from '../../../src/wire/p2p/frame.js';
import type { P2PFormat } from '../../../src/wire/p2p/protocol-id.js';
import type { Codec } from './four-checks.js';

export const channelCodec: Codec<ChannelFrame> = {
  decode: decodeFrame,
  encode: (frame) => encodeFrame(frame.type, frame.seq, frame.result, frame.body),
};

export function p2pCodec(format: P2PFormat): Codec<P2PFrame> {
  return {
    decode: (bytes) => decodeP2PFrame(format, bytes),
    encode: (frame) => encodeP2PFrame(format, frame, frame.payload),
  };
}
