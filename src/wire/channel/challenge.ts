/**
 * What a challenge of a private topic looks like (2.x SDK specification, §6.4, decisions §10).
 *
 * A subscriber signs whatever arrives on its challenge topic, and a chain transaction is signed in the same way: so nothing passes
 * that could be one. Three shapes are known, and none of them can be the RLP list of a transaction:
 *
 *   Java      32 lower-case hex digits
 *   Go        at most 17 raw bytes
 *   web3sdk   u8 1 + bytes of V | V | u16 n | n bytes of JSON {"randValue":"<32 hex>","topic":"<N>"}
 */
import { readU16, viewOf } from '../bytes.js';
import { isJsonObject, member, readJson } from './json-read.js';

export type ChallengeShape = 'java' | 'go' | 'web3sdk';

const JAVA = /^[0-9a-f]{32}$/;
const RANDOM = /^[0-9a-fA-F]{32}$/;
const GO_BYTES_MAX = 17;
/** Two members of at most 254 and 32 characters, their names, and what JSON may put between them. */
const JSON_BYTES_MAX = 1_024;

/** The shape of a payload on the challenge topic of `messageTopic`, or undefined when it is none. */
export function challengeShape(
  payload: Uint8Array,
  challengeTopic: string,
  messageTopic: string,
): ChallengeShape | undefined {
  if (payload.length <= GO_BYTES_MAX) return 'go';
  if (payload.length === 32 && JAVA.test(viewOf(payload, 0, 32).toString('latin1'))) return 'java';
  return isWeb3Block(payload, challengeTopic, messageTopic) ? 'web3sdk' : undefined;
}

function isWeb3Block(payload: Uint8Array, challengeTopic: string, messageTopic: string): boolean {
  const topic = Buffer.from(challengeTopic, 'utf8');
  const jsonStart = 1 + topic.length + 2;
  if (payload.length < jsonStart || payload[0] !== 1 + topic.length) return false;
  if (!viewOf(payload, 1, 1 + topic.length).equals(topic)) return false;
  const jsonBytes = readU16(payload, 1 + topic.length);
  if (jsonBytes !== payload.length - jsonStart) return false;
  const json = readJson(viewOf(payload, jsonStart, payload.length), {
    bytesMax: JSON_BYTES_MAX,
    depthMax: 1,
    separatorsMax: 8,
  });
  if (!json.ok || !isJsonObject(json.value) || Object.keys(json.value).length !== 2) return false;
  const random = member(json.value, 'randValue');
  return typeof random === 'string' && RANDOM.test(random) && member(json.value, 'topic') === messageTopic;
}
