/** What else a port may speak, by the first bytes it sends where a channel frame should be. */
import { viewOf } from '../wire/bytes.js';
import { decodeP2PFrame, P2P_HEADER_BYTES } from '../wire/p2p/frame.js';

/** AMOP (1), topic gossip (2), the frames between relays (90); a negative one is an answer. */
const P2P_PROTOCOL_IDS: ReadonlySet<number> = new Set([1, 2, 90]);

/** In words for an error text, or undefined when nothing is recognised. */
export function describeForeignBytes(bytes: Uint8Array): string | undefined {
  const text = viewOf(bytes, 0, Math.min(bytes.length, 5)).toString('latin1');
  if (text === 'HTTP/') return 'HTTP: this is the JSON-RPC or the admin port';
  if (text.startsWith('SSH-')) return 'SSH';
  for (const format of ['rc2', 'rc1'] as const) {
    if (bytes.length < P2P_HEADER_BYTES[format]) continue;
    const decoded = decodeP2PFrame(format, bytes);
    if (decoded.status === 'ok' && P2P_PROTOCOL_IDS.has(Math.abs(decoded.frame.protocolId))) {
      return 'the P2P protocol: this is the port where nodes and relays talk to each other';
    }
  }
  return undefined;
}
