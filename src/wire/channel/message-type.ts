import { FRAME_KINDS, type FrameKind } from '../../base/stats.js';

/** Types of 2.x channel frames (u16 at byte 4 of the header). Source: fisco 2.x node specification and captured frames. */
export const MessageType = {
  rpc: 0x12,
  heartbeat: 0x13,
  handshake: 0x14,
  registerEvent: 0x15,
  unregisterEvent: 0x16,
  unicast: 0x30,
  response: 0x31,
  subscribe: 0x32,
  multicast: 0x35,
  requestCertification: 0x37,
  certificationResult: 0x38,
  transactionNotify: 0x1000,
  blockNotify: 0x1001,
  eventPush: 0x1002,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

function indexOfKind(kind: FrameKind): number {
  return FRAME_KINDS.indexOf(kind);
}

const RPC = indexOfKind('rpc');
const HEARTBEAT = indexOfKind('heartbeat');
const HANDSHAKE = indexOfKind('handshake');
const EVENT = indexOfKind('event');
const UNICAST = indexOfKind('unicast');
const RESPONSE = indexOfKind('response');
const SUBSCRIBE = indexOfKind('subscribe');
const MULTICAST = indexOfKind('multicast');
const CERTIFICATION = indexOfKind('certification');
const OTHER = indexOfKind('other');

/** Position of the kind of `type` in FRAME_KINDS, for counters. Runs once a frame: integers only, nothing allocated. */
export function frameKindIndex(type: number): number {
  switch (type) {
    case MessageType.unicast:
      return UNICAST;
    case MessageType.response:
      return RESPONSE;
    case MessageType.multicast:
      return MULTICAST;
    case MessageType.heartbeat:
      return HEARTBEAT;
    case MessageType.rpc:
      return RPC;
    case MessageType.handshake:
      return HANDSHAKE;
    case MessageType.subscribe:
      return SUBSCRIBE;
    case MessageType.registerEvent:
    case MessageType.unregisterEvent:
    case MessageType.eventPush:
      return EVENT;
    case MessageType.requestCertification:
    case MessageType.certificationResult:
      return CERTIFICATION;
    default:
      return OTHER;
  }
}
