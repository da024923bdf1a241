/**
 * A relay as a script: says hello like one, lists what it is told to and sends what it likes. By itself it pulls nothing, answers a
 * request for its list, and says of every message and challenge that it can deliver it to nobody, unless it is told to answer.
 */
import { randomBytes } from 'node:crypto';
import { DEFAULT_DEADLINE_MS } from '../deadline.js';
import { amopBody, decodeFrame, encodeFrame, type Frame, newSeq, TYPE } from '../wire.js';
import { P2PLink, type ReceivedP2PFrame } from './p2p-link.js';
import type { NodeCredentials } from './p2p-pki.js';
import { AMOP, PROTOCOL, TOPICS } from './p2p-wire.js';
import {
  decodeChallenge,
  decodePrivateMessage,
  encodeChallenge,
  encodeHello,
  encodePrivateMessage,
  formatSessionList,
  type ListedSession,
  parseSessionList,
  RELAY,
  RELAY_MADE,
  RELAY_PROTOCOL,
} from './relay-wire.js';

const NOBODY_REACHED = 101;

export interface PrivateRequest {
  readonly request: Frame;
  /** Of a message: who may receive it. Of a challenge: who sends it. */
  readonly handles: readonly string[];
}

/** The whole AMOP body of a subscriber's 0x31; undefined: the relay says that it can reach nobody. */
export type RelayAnswer = Uint8Array | undefined | Promise<Uint8Array | undefined>;

export interface ScriptedRelayOptions {
  readonly port: number;
  readonly credentials: NodeCredentials;
  /** False: it never says hello. */
  readonly hello?: boolean;
  readonly bootEpochMs?: number;
}

export const newHandle = (): string => randomBytes(8).toString('hex');
export const newDigest = (): string => randomBytes(32).toString('hex');

export class ScriptedRelay {
  readonly nodeId: string;
  readonly messages: PrivateRequest[] = [];
  readonly challenges: PrivateRequest[] = [];
  /** Channel frames that came as plain AMOP requests. */
  readonly plain: Frame[] = [];
  onMessage: (message: PrivateRequest) => RelayAnswer = () => undefined;
  onChallenge: (challenge: PrivateRequest) => RelayAnswer = () => undefined;
  #link!: P2PLink;
  #sessions: readonly ListedSession[] = [];
  #topicSeq = 1;
  #seq = 100;

  private constructor(nodeId: string) {
    this.nodeId = nodeId;
  }

  static async dial(options: ScriptedRelayOptions): Promise<ScriptedRelay> {
    const { port, credentials } = options;
    const relay = new ScriptedRelay(credentials.nodeId);
    relay.#link = await P2PLink.dial({
      port,
      credentials,
      onFrame: (frame) => relay.#receive(frame),
    });
    if (options.hello ?? true) {
      const data = encodeHello(options.bootEpochMs ?? Date.now());
      relay.#link.send({ protocolId: RELAY_PROTOCOL, packetType: RELAY.hello, seq: 1, data });
    }
    await relay.#link.waitFor(
      ({ protocolId, packetType }) => protocolId === RELAY_PROTOCOL && packetType === RELAY.hello,
      'the hello of a relay',
    );
    return relay;
  }

  get link(): P2PLink {
    return this.#link;
  }

  /** Replaces its list and announces it; returns when the other side has pulled it. */
  async list(...sessions: ListedSession[]): Promise<void> {
    this.#sessions = sessions;
    const number = ++this.#topicSeq;
    const data = Buffer.from(String(number));
    const sent = this.#link.received.length;
    this.#link.send({ protocolId: PROTOCOL.topics, packetType: TOPICS.seq, seq: 0, data });
    await this.#link.waitFor(
      (frame) => this.#link.received.indexOf(frame) >= sent && isRequestForList(frame),
      'a pull of its list',
    );
  }

  /** Pulls the list of the other side: the sessions of private topics. */
  async pull(): Promise<ListedSession[]> {
    const seq = this.#seq++;
    this.#link.send({ protocolId: RELAY_PROTOCOL, packetType: RELAY.requestTopics, seq, data: Buffer.alloc(0) });
    const answer = await this.#link.waitFor(
      (frame) => frame.protocolId === -RELAY_PROTOCOL && frame.packetType === RELAY.sendTopics && frame.seq === seq,
      'the list of a relay',
    );
    return parseSessionList(answer.data).sessions;
  }

  /** A unicast on a private topic, for the sessions with these handles. */
  privateUnicast(handles: readonly string[], topic: string, payload: string): Promise<Frame> {
    const frame = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(topic, payload));
    return this.#ask(RELAY_PROTOCOL, RELAY.privateMessage, encodePrivateMessage(handles, frame));
  }

  privateMulticast(handles: readonly string[], topic: string, payload: string): void {
    const data = encodePrivateMessage(handles, encodeFrame(TYPE.multicast, newSeq(), 0, amopBody(topic, payload)));
    this.#link.send({ protocolId: RELAY_PROTOCOL, packetType: RELAY.privateMessage, seq: this.#seq++, data });
  }

  /** A challenge of the session with this handle. */
  challenge(handle: string, challengeTopic: string, payload: Uint8Array | string): Promise<Frame> {
    const frame = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(challengeTopic, payload));
    return this.#ask(RELAY_PROTOCOL, RELAY.challenge, encodeChallenge(handle, frame));
  }

  /** A unicast as a 2.x node sends it. */
  plainUnicast(topic: string, payload: Uint8Array | string): Promise<Frame> {
    return this.#ask(PROTOCOL.amop, AMOP.unicast, encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(topic, payload)));
  }

  plainMulticast(topic: string, payload: string): void {
    const data = encodeFrame(TYPE.multicast, newSeq(), 0, amopBody(topic, payload));
    this.#link.send({ protocolId: PROTOCOL.amop, packetType: AMOP.multicast, seq: this.#seq++, data });
  }

  /** Ends without a word. */
  async stop(): Promise<void> {
    this.#link.destroy();
    await this.#link.waitForClose();
  }

  async #ask(protocolId: number, packetType: number, data: Buffer): Promise<Frame> {
    const seq = this.#seq++;
    this.#link.send({ protocolId, packetType, seq, data });
    const answer = await this.#link.waitFor(
      (frame) => frame.protocolId === -PROTOCOL.amop && frame.seq === seq,
      'the answer of a relay',
      DEFAULT_DEADLINE_MS,
    );
    return decodeFrame(answer.data);
  }

  #receive(frame: ReceivedP2PFrame): void {
    const { protocolId, packetType, seq, data } = frame;
    if (isRequestForList(frame)) {
      const list = formatSessionList(this.#topicSeq, this.#sessions);
      this.#link.send({ protocolId: -RELAY_PROTOCOL, packetType: RELAY.sendTopics, seq, data: list });
    } else if (protocolId === RELAY_PROTOCOL && packetType === RELAY.privateMessage) {
      const { handles, channelFrame } = decodePrivateMessage(data);
      const message = { request: decodeFrame(channelFrame), handles };
      this.messages.push(message);
      if (message.request.type === TYPE.unicast) void this.#answer(seq, message.request, this.onMessage(message));
    } else if (protocolId === RELAY_PROTOCOL && packetType === RELAY.challenge) {
      const { handle, channelFrame } = decodeChallenge(data);
      const challenge = { request: decodeFrame(channelFrame), handles: [handle] };
      this.challenges.push(challenge);
      void this.#answer(seq, challenge.request, this.onChallenge(challenge));
    } else if (protocolId === PROTOCOL.amop) {
      const request = decodeFrame(data);
      this.plain.push(request);
      if (request.type === TYPE.unicast) void this.#answer(seq, request, undefined);
    }
  }

  async #answer(seq: number, request: Frame, answer: RelayAnswer): Promise<void> {
    const body = await answer;
    const [packetType, result] = body === undefined ? [RELAY_MADE, NOBODY_REACHED] : [AMOP.unicast, 0];
    const data = encodeFrame(TYPE.response, request.seq, result, body ?? '');
    if (!this.#link.isClosed) this.#link.send({ protocolId: -PROTOCOL.amop, packetType, seq, data });
  }
}

const isRequestForList = ({ protocolId, packetType }: ReceivedP2PFrame): boolean =>
  protocolId === RELAY_PROTOCOL && packetType === RELAY.requestTopics;
