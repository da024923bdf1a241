/**
 * The protocol ID of a P2P frame names group and module and, by its sign, request or response.
 *
 *   RC2  i32 = group << 16 | module, a response is its negative (two's complement)
 *   RC1  i16 = group << 8  | module, likewise
 *
 * So AMOP (group 0, module 1) is 1 / -1, the topic lists (module 2) are 2 / -2.
 */

/** Header of P2P frames: chosen once for a network by `supported_version`, never negotiated. */
export type P2PFormat = 'rc2' | 'rc1';

/** Modules of group 0 that the relay speaks. */
export const P2PModule = { amop: 1, topics: 2 } as const;

/** `packetType` of AMOP frames. Receivers look at the type of the channel frame inside instead. */
export const AmopPacketType = { unicast: 0, multicast: 1 } as const;

/** `packetType` of topic frames. */
export const TopicPacketType = { sendTopicSeq: 1, requestTopics: 2, sendTopics: 3 } as const;

interface Widths {
  readonly moduleSpan: number;
  readonly groupMax: number;
}

const WIDTHS: Readonly<Record<P2PFormat, Widths>> = {
  rc2: { moduleSpan: 0x10000, groupMax: 0x7fff },
  rc1: { moduleSpan: 0x100, groupMax: 0x7f },
};

export interface ProtocolParts {
  readonly group: number;
  readonly module: number;
  readonly response: boolean;
}

/**
 * Makes the signed protocol ID.
 * @throws RangeError when group or module do not fit the format.
 */
export function protocolIdOf(format: P2PFormat, parts: ProtocolParts): number {
  const { moduleSpan, groupMax } = WIDTHS[format];
  const { group, module, response } = parts;
  if (!Number.isInteger(module) || module < 0 || module >= moduleSpan) {
    throw new RangeError(`module ${module} does not fit ${format} (0..${moduleSpan - 1})`);
  }
  if (!Number.isInteger(group) || group < 0 || group > groupMax) {
    throw new RangeError(`group ${group} does not fit ${format} (0..${groupMax})`);
  }
  const id = group * moduleSpan + module;
  return response && id !== 0 ? -id : id;
}

/** Takes a signed protocol ID apart. The lowest value of the integer names a group of its own, one above the maximum. */
export function protocolParts(format: P2PFormat, protocolId: number): ProtocolParts {
  const { moduleSpan } = WIDTHS[format];
  const id = Math.abs(protocolId);
  return { group: Math.floor(id / moduleSpan), module: id % moduleSpan, response: isResponse(format, protocolId) };
}

/** By sign. The ID 0, which nobody uses, is a response in RC2 (not above 0) and a request in RC1 (sign bit clear). */
export function isResponse(format: P2PFormat, protocolId: number): boolean {
  return format === 'rc2' ? protocolId <= 0 : protocolId < 0;
}
