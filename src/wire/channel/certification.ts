/**
 * Certification of a private topic: plain JSON bodies without a topic prefix.
 *
 *   0x37 node to publisher  {"nodeId":"<128 hex>","topic":"<message topic>","topicForCert":"<challenge topic>"} LF
 *   0x38 publisher to node  {"checkResult":0,"nodeId":"<128 hex>","topic":"<message topic>"}, 0 = verified, no LF
 *
 * The publisher echoes `nodeId` unread. Seen in captured frames; member order is free on both sides.
 */
import { CONTROL_BODY_BOUNDS, isJsonObject, type JsonObject, member, readJson } from './json-read.js';
import { formatJson } from './json-write.js';
import { isChallengeTopicOf, parsePrivateTopic, topicFault } from './topic.js';

export interface CertificationRequest {
  /** 128 lower-case hex digits: public key of the node that holds the subscriber. */
  readonly nodeId: string;
  readonly messageTopic: string;
  readonly challengeTopic: string;
}

export interface CertificationResult {
  /** i32; 0 is verified, anything else refused. */
  readonly checkResult: number;
  readonly nodeId: string;
  readonly messageTopic: string;
}

export type CertificationProblem = { readonly ok: false; readonly problem: string };

export function formatCertificationRequest(request: CertificationRequest): Buffer {
  const { nodeId, messageTopic, challengeTopic } = request;
  return formatJson({ nodeId, topic: messageTopic, topicForCert: challengeTopic });
}

/** Without LF, as the SDKs send it. */
export function formatCertificationResult(result: CertificationResult): Buffer {
  const { checkResult, nodeId, messageTopic } = result;
  return formatJson({ checkResult, nodeId, topic: messageTopic }).subarray(0, -1);
}

/** Reads a 0x37. The challenge topic must be exactly one of the message topic. */
export function parseCertificationRequest(
  body: Uint8Array,
): ({ readonly ok: true } & CertificationRequest) | CertificationProblem {
  const common = parseCommon(body);
  if (!common.ok) return common;
  const challengeTopic = member(common.object, 'topicForCert');
  if (
    typeof challengeTopic !== 'string' ||
    topicFault(Buffer.from(challengeTopic, 'utf8')) !== undefined ||
    !isChallengeTopicOf(challengeTopic, common.messageTopic)
  ) {
    return { ok: false, problem: 'topicForCert is not the challenge topic of topic' };
  }
  return { ok: true, nodeId: common.nodeId, messageTopic: common.messageTopic, challengeTopic };
}

/** Reads a 0x38. */
export function parseCertificationResult(
  body: Uint8Array,
): ({ readonly ok: true } & CertificationResult) | CertificationProblem {
  const common = parseCommon(body);
  if (!common.ok) return common;
  const checkResult = member(common.object, 'checkResult');
  if (typeof checkResult !== 'number' || (checkResult | 0) !== checkResult) {
    return { ok: false, problem: 'checkResult is not an integer' };
  }
  return { ok: true, checkResult, nodeId: common.nodeId, messageTopic: common.messageTopic };
}

/** The reference takes node IDs in either case and with `0x` in front. */
const NODE_ID = /^(?:0x)?([0-9a-fA-F]{128})$/;

type Common = {
  readonly ok: true;
  readonly object: JsonObject;
  readonly nodeId: string;
  readonly messageTopic: string;
};

function parseCommon(body: Uint8Array): Common | CertificationProblem {
  const read = readJson(body, CONTROL_BODY_BOUNDS);
  if (!read.ok) return { ok: false, problem: read.problem };
  if (!isJsonObject(read.value)) return { ok: false, problem: 'not-an-object' };
  const nodeId = member(read.value, 'nodeId');
  const digits = typeof nodeId === 'string' ? NODE_ID.exec(nodeId) : null;
  if (digits === null) return { ok: false, problem: 'nodeId is not 128 hex digits' };
  const messageTopic = member(read.value, 'topic');
  if (
    typeof messageTopic !== 'string' ||
    topicFault(Buffer.from(messageTopic, 'utf8')) !== undefined ||
    parsePrivateTopic(messageTopic)?.kind !== 'message'
  ) {
    return { ok: false, problem: 'topic is not a private message topic' };
  }
  return { ok: true, object: read.value, nodeId: digits[1].toLowerCase(), messageTopic };
}
