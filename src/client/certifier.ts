/**
 * The sender's half of a certification: a relay asks (0x37), the receiver is challenged (0x30 on its challenge topic), what it
 * answers is checked, and the relay is told (0x38).
 *
 * Invariants: everything goes over the connection that asked, for only there the answer means something; one certification at a
 * time for a receiver and connection; a relay is told "verified" only about a signature by one of the keys. When a challenge has
 * no answer the relay is told nothing, as the SDKs do: it asks again by itself.
 */
import { randomBytes } from 'node:crypto';
import { decodeAmopBody, encodeAmopBody } from '../wire/channel/amop-body.js';
import {
  type CertificationRequest,
  formatCertificationResult,
  parseCertificationRequest,
} from '../wire/channel/certification.js';
import type { ChannelFrame } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { decodeReasonBody } from '../wire/channel/reason-body.js';
import { AmopError } from './amop-error.js';
import { CERTIFICATIONS_MAX, CHALLENGE_TIMEOUT_MS } from './bounds.js';
import { type Judge, judgeSignature } from './challenge-verdict.js';
import { type AbortHub, Deadline } from './deadline.js';
import { failureOf, type PrivateReceivers } from './private-receivers.js';
import { newSeq, seqText } from './seq.js';
import type { Session } from './session.js';

/** What is certified on one private topic. */
export interface Certified {
  readonly publicKeys: readonly Buffer[];
  readonly judge: Judge;
  readonly receivers: PrivateReceivers;
}

/** 16 random bytes as 32 lower-case hex digits: the form of the Java SDK, which Go takes as well. */
const CHALLENGE_RANDOM_BYTES = 16;

export class Certifier {
  readonly #hub: AbortHub;
  readonly #byMessageTopic = new Map<string, Certified>();
  /** Node IDs that are being certified. */
  readonly #underWay = new Map<Session, Set<string>>();
  #open = 0;

  constructor(hub: AbortHub) {
    this.#hub = hub;
  }

  has(messageTopic: string): boolean {
    return this.#byMessageTopic.has(messageTopic);
  }

  add(messageTopic: string, certified: Certified): void {
    this.#byMessageTopic.set(messageTopic, certified);
  }

  remove(messageTopic: string, certified: Certified): void {
    if (this.#byMessageTopic.get(messageTopic) === certified) this.#byMessageTopic.delete(messageTopic);
  }

  disconnected(relay: string): void {
    for (const { receivers } of this.#byMessageTopic.values()) receivers.forgetRelay(relay);
  }

  /** Takes a 0x37; false for one that is malformed or about a topic that is not sent on. */
  receive(frame: ChannelFrame, session: Session): boolean {
    const request = parseCertificationRequest(frame.body);
    if (!request.ok) return false;
    const certified = this.#byMessageTopic.get(request.messageTopic);
    if (certified === undefined) return false;
    session.tell(MessageType.requestCertification, seqText(frame.seq), Buffer.alloc(0));
    void this.#certifyOnce(request, certified, session);
    return true;
  }

  async #certifyOnce(request: CertificationRequest, certified: Certified, session: Session): Promise<void> {
    const underWay = this.#underWay.get(session) ?? new Set();
    const key = `${request.nodeId} ${request.messageTopic}`;
    if (underWay.has(key) || this.#open >= CERTIFICATIONS_MAX) return;
    underWay.add(key);
    this.#underWay.set(session, underWay);
    this.#open++;
    try {
      await this.#certify(request, certified, session);
    } finally {
      this.#open--;
      underWay.delete(key);
      if (underWay.size === 0) this.#underWay.delete(session);
    }
  }

  /** Never rejects: whatever goes wrong is the state of the receiver. */
  async #certify(request: CertificationRequest, certified: Certified, session: Session): Promise<void> {
    const { nodeId, messageTopic } = request;
    const { receivers, judge, publicKeys } = certified;
    const { relay } = session;
    const isOver = () => session.error !== undefined || this.#byMessageTopic.get(messageTopic) !== certified;
    receivers.asked(relay, nodeId);
    const challenge = Buffer.from(randomBytes(CHALLENGE_RANDOM_BYTES).toString('hex'));
    let signature: Buffer;
    try {
      signature = await this.#challenge(request, session, challenge);
    } catch (error) {
      if (isOver() || !(error instanceof AmopError)) return;
      receivers.set(relay, nodeId, { state: 'failed', failure: failureOf(error), error });
      return;
    }
    const verdict = await judgeSignature(judge, challenge, signature, publicKeys);
    if (isOver()) return;
    if (verdict.kind === 'unchecked') {
      receivers.set(relay, nodeId, { state: 'failed', failure: 'unchecked' });
      return;
    }
    const genuine = verdict.kind === 'genuine';
    const result = formatCertificationResult({ checkResult: genuine ? 0 : 1, nodeId, messageTopic });
    // A result that was not taken left the relay without one: it asks again.
    if (!session.tell(MessageType.certificationResult, newSeq(), result)) {
      receivers.set(relay, nodeId, { state: 'failed', failure: 'unchecked' });
    } else if (genuine) {
      receivers.set(relay, nodeId, { state: 'certified', publicKey: verdict.publicKey.toString('hex') });
    } else {
      receivers.set(relay, nodeId, { state: 'failed', failure: 'wrong-signature' });
    }
  }

  /** The payload that the receiver answers with. @throws AmopError */
  async #challenge({ challengeTopic }: CertificationRequest, session: Session, challenge: Buffer): Promise<Buffer> {
    const seq = newSeq();
    const body = encodeAmopBody(challengeTopic, challenge);
    const call = { type: MessageType.unicast, answerType: MessageType.response, seq, body };
    const answer = await session.exchange(call, new Deadline(CHALLENGE_TIMEOUT_MS, undefined, this.#hub));
    if (answer.result !== 0) throw new AmopError(answer.result, { reason: decodeReasonBody(answer.body), seq });
    const decoded = decodeAmopBody(answer.body);
    return decoded.ok ? decoded.payload : Buffer.alloc(0);
  }
}
