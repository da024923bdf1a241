/**
 * What a challenge of a private topic looks like (2.x SDK specification, §6.4, decisions §10).
 *
 * A subscriber signs whatever arrives on its challenge topic, and a chain transaction is signed in the same way: so nothing passes
 * that could be one. Three shapes are known:
 *
 *   Java      32 lower-case hex digits
 *   Go        at most 17 raw bytes, but no RLP list with the members of a transaction: one that creates an empty contract has 11
 *   web3sdk   u8 1 + bytes of V | V | u16 n | n bytes of JSON {"randValue":"<32 hex>","topic":"<N>"}
 */
import { readU16, viewOf } from '../bytes.js';
import { isJsonObject, member, readJson } from './json-read.js';

export type ChallengeShape = 'java' | 'go' | 'web3sdk';

const JAVA = /^[0-9a-f]{32}$/;
const RANDOM = /^[0-9a-fA-F]{32}$/;
const GO_BYTES_MAX = 17;
/** Fewest members of what a chain signs as a transaction; one random challenge in 100,000 is such a list, and tried again. */
const TRANSACTION_MEMBERS_MIN = 6;
const RLP_STRING = 0x80;
const RLP_LIST = 0xc0;
/** Two members of at most 254 and 32 characters, their names, and what JSON may put between them. */
const JSON_BYTES_MAX = 1_024;

/** The shape of a payload on the challenge topic of `messageTopic`, or undefined when it is none. */
export function challengeShape(
  payload: Uint8Array,
  challengeTopic: string,
  messageTopic: string,
): ChallengeShape | undefined {
  if (payload.length <= GO_BYTES_MAX) return mayBeTransaction(payload) ? undefined : 'go';
  if (payload.length === 32 && JAVA.test(viewOf(payload, 0, 32).toString('latin1'))) return 'java';
  return isWeb3Block(payload, challengeTopic, messageTopic) ? 'web3sdk' : undefined;
}

/** A list by itself, or behind the type byte that some chains put in front. */
function mayBeTransaction(payload: Uint8Array): boolean {
  return listMembers(payload, 0) >= TRANSACTION_MEMBERS_MIN || listMembers(payload, 1) >= TRANSACTION_MEMBERS_MIN;
}

/** Members of the RLP list that is all of `bytes` from `start` on, 0 when that is none. `bytes` are too few for a long form. */
function listMembers(bytes: Uint8Array, start: number): number {
  if (bytes[start] - RLP_LIST !== bytes.length - start - 1) return 0;
  let members = 0;
  let at = start + 1;
  for (; at < bytes.length; members++) {
    const head = bytes[at];
    at += 1 + (head < RLP_STRING ? 0 : head < RLP_LIST ? head - RLP_STRING : head - RLP_LIST);
  }
  return at === bytes.length ? members : 0;
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
    // Two members: a third one, or one of the two twice, would be room for bytes of the attacker's choice.
    separatorsMax: 1,
  });
  if (!json.ok || !isJsonObject(json.value) || Object.keys(json.value).length !== 2) return false;
  const random = member(json.value, 'randValue');
  return typeof random === 'string' && RANDOM.test(random) && member(json.value, 'topic') === messageTopic;
}

/** What is signed of a challenge that has a shape, as text: the random value of web3sdk's block, else all of it. */
export function signedOf(payload: Uint8Array, shape: ChallengeShape, challengeTopic: string): string {
  if (shape !== 'web3sdk') return viewOf(payload, 0, payload.length).toString('latin1');
  const jsonStart = 1 + Buffer.byteLength(challengeTopic) + 2;
  const { randValue } = JSON.parse(viewOf(payload, jsonStart, payload.length).toString('utf8')) as {
    randValue: string;
  };
  return randValue;
}
