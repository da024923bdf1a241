/**
 * Private topics on the data path: who may send to whom, and which challenges pass. The control thread decides (certification) and
 * posts routes; nothing here is found by the name of a topic alone.
 *
 * Invariants: a message on a private topic goes only over the route of its sender, to the receivers that the control thread has
 * allowed for it; what another relay forwards goes only to the sessions whose handles it names; a challenge passes only through
 * the gate.
 */
import { randomBytes } from 'node:crypto';
import { CHANNEL_HEADER_BYTES, SEQ_BYTES } from '../base/limits.js';
import { CHALLENGE_RESULTS, type ChallengeResult, DROP_REASONS } from '../base/stats.js';
import type { Endpoint } from '../core/endpoint.js';
import { DetachedTopic, type RelayForm, type Topic } from '../core/topic-table.js';
import { decodeAmopBody, encodeAmopBody } from '../wire/channel/amop-body.js';
import { encodeFrame, RESULT_OFFSET, SEQ_OFFSET } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import {
  MESSAGE_TOPIC_PREFIX,
  PRIVATE_PREFIX,
  type PrivateTopic,
  PUSH_TOPIC_PREFIX,
  parsePrivateTopic,
} from '../wire/channel/topic.js';
import {
  decodeChallenge,
  decodePrivateMessage,
  encodeHandle,
  encodeHandles,
  HANDLES_MAX,
} from '../wire/mesh/private-frame.js';
import { RelayPacketType } from '../wire/mesh/relay-module.js';
import { AgentSender } from './agent-sender.js';
import { AskedClaims } from './asked-claims.js';
import { mayPass } from './bandwidth.js';
import { ChallengeGate } from './challenge-gate.js';
import type { ShardContext } from './context.js';
import type { ControlToShard, ShardToControl } from './messages.js';
import { owned } from './owned.js';
import type { PeerLink } from './peer-link.js';
import { AGENT_ROUTE, AGENT_SESSION, type AgentSetup, PrivateAgents } from './private-agents.js';
import { PrivateReceivers } from './private-receivers.js';
import type { Session } from './session.js';

/** Messages of the control thread that are for this side. */
export type PrivateMessage = Extract<
  ControlToShard,
  { readonly type: `private-${string}` | `challenge-${string}` | 'certify' }
>;

/** A unicast names at most so many of the sessions behind a relay, in turn: that relay tries them itself. */
const UNICAST_HANDLES_MAX = 16;
/** Messages that wait for a result to be settled, which takes less than a millisecond. */
const PARKED_MAX = 256;
/** Peers whose pulled list is remembered, the latest ones. */
const LISTED_MAX = 1_024;
/** Questions (0x37) of a session whose acknowledgement has not come. */
const QUESTIONS_MAX = 1_024;

const TYPE_LOW_BYTE = 5;
const QUEUE_FULL = DROP_REASONS.indexOf('queue-full');

/**
 * The topic of the last frame: who sends on a private topic mostly stays on it, and to compare a name is cheaper than to decode it
 * and to find its hash anew.
 */
class LastName {
  #bytes: Uint8Array = new Uint8Array(0);
  #name = '';

  read(frame: Buffer): string {
    const bytes = this.#bytes;
    const start = CHANNEL_HEADER_BYTES + 1;
    // The length byte counts itself. From the end: all private names begin alike.
    let at = frame[CHANNEL_HEADER_BYTES] - 1 === bytes.length ? bytes.length - 1 : Number.NaN;
    while (at >= 0 && frame[start + at] === bytes[at]) at--;
    if (at === -1) return this.#name;
    this.#name = topicOf(frame);
    this.#bytes = Buffer.from(this.#name, 'utf8');
    return this.#name;
  }
}

/** What the shard keeps for a session with private topics. */
class PrivateState {
  /** Private names that it subscribes to itself. */
  requested: readonly string[] = [];
  /** Challenge topics that the relay answers in its place. */
  answered: readonly string[] = [];
  /** Both. */
  topics: readonly string[] = [];
  /** By which the control thread knows the session. */
  organisation = '';
  /** Route by message topic on which it may send. */
  readonly senderOf = new Map<string, string>();
  /** Sequences of 0x37 that it has not acknowledged, in hex. */
  readonly questions = new Set<string>();
  readonly asked = new AskedClaims();
  readonly lastName = new LastName();
  /** Results (0x38) that the control thread has not settled: it may allow in this moment what is sent next. */
  unsettled = 0;
  /** Messages that found no route meanwhile, in their order. */
  parked: Buffer[] = [];
}

/** Who challenges, see `ChallengeAttempt`, and which holders of the topic it means; undefined for any. */
interface Challenger {
  readonly source: string;
  readonly certifying: boolean;
  readonly only: ReadonlySet<number> | undefined;
}

interface LinkHandles {
  readonly handles: readonly string[];
  /** All of them, as they stand in front of a message. */
  readonly prefix: Buffer | undefined;
  next: number;
}

export class PrivateRoutes {
  readonly #context: ShardContext;
  readonly #post: (message: ShardToControl) => void;
  readonly #endpointOf: (id: number) => Session | PeerLink | undefined;
  readonly #agents: PrivateAgents;
  readonly #agentSender: AgentSender;
  readonly #gate = new ChallengeGate();
  readonly #states = new Map<number, PrivateState>();
  readonly #receivers = new PrivateReceivers();
  /** By route and message topic. */
  readonly #routes = new Map<string, Map<string, DetachedTopic>>();
  readonly #challengeTopics = new Map<string, DetachedTopic>();
  /**
   * By node ID: challenge topics in the list that a peer has pulled. It outlives links, as the list does at the peer: with the number
   * it knows it does not pull again over another link, or after a cut.
   */
  readonly #listed = new Map<string, ReadonlySet<string>>();
  /** Where an endpoint stands, to take it out when it ends. */
  readonly #standsIn = new Map<number, Set<DetachedTopic>>();
  #question = 0;

  constructor(
    context: ShardContext,
    post: (message: ShardToControl) => void,
    endpointOf: (id: number) => Session | PeerLink | undefined,
    agents: PrivateAgents = new PrivateAgents([]),
  ) {
    this.#context = context;
    this.#post = post;
    this.#endpointOf = endpointOf;
    this.#agents = agents;
    this.#agentSender = new AgentSender(
      newHandle(),
      () => context.flow.openSession(AGENT_ROUTE),
      (frame) => this.#agentAnswered(frame),
    );
  }

  /** The bandwidth limits were replaced. */
  flowReplaced(): void {
    this.#agentSender.flowReplaced();
  }

  // ---- sessions and links

  /** The session's subscriptions were replaced. */
  subscribed(session: Session, topics: readonly string[]): void {
    const requested = topics.filter((topic) => topic.startsWith(PRIVATE_PREFIX));
    const known = this.#states.get(session.id);
    if (requested.length === 0 && !known) return;
    const state = known ?? new PrivateState();
    this.#states.set(session.id, state);
    state.requested = requested;
    this.#rename(session, state);
  }

  sessionEnded(session: Session): void {
    this.#leave(session.id);
    this.#receivers.ended(session);
    if (this.#states.delete(session.id)) this.#announce(session, [], []);
  }

  linkEnded(link: PeerLink): void {
    this.#leave(link.id);
  }

  /** The configuration was replaced: sessions lose and gain at once what the relay does in their place. */
  setAgents(agents: readonly AgentSetup[]): void {
    this.#agents.replace(agents);
    for (const [id, state] of this.#states) {
      const session = this.#endpointOf(id);
      if (session && !session.isPeer) this.#rename(session, state);
    }
  }

  /** Message topics on which the relay certifies subscribers in the place of the session. */
  agentTopicsOf({ identity }: Session): readonly string[] {
    return this.#agents.sendTopicsOf(identity);
  }

  // ---- frames of sessions

  /** A 0x30 or 0x35 on a topic that begins with `#!$` and may be sent to. */
  fromSession(session: Session, frame: Buffer, topicId: number): void {
    const state = this.#states.get(session.id);
    const name = this.#known(topicId)?.name ?? state?.lastName.read(frame) ?? topicOf(frame);
    if (name.startsWith(MESSAGE_TOPIC_PREFIX)) {
      this.#message(session, state, frame, name);
      return;
    }
    const topic = parsePrivateTopic(name);
    if (topic?.kind === 'challenge') this.#challenge(session, frame, name, topic);
    else {
      session.refuse('private-topic');
      this.#context.router.refuse(session, frame, 100, 'private-topic');
    }
  }

  /** True when the frame only acknowledges a 0x37 (R4 of the SDK specification: Java by 0x37, Go by 0x31). */
  acknowledges(session: Session, frame: Buffer): boolean {
    const questions = this.#states.get(session.id)?.questions;
    return questions?.delete(frame.toString('hex', SEQ_OFFSET, SEQ_OFFSET + SEQ_BYTES)) ?? false;
  }

  /** A 0x38, which is never answered. */
  result(session: Session, frame: Buffer): void {
    const body = frame.subarray(CHANNEL_HEADER_BYTES);
    const state = this.#states.get(session.id);
    if (state && body.length <= RESULT_BYTES_MAX) {
      state.unsettled++;
      this.#post({ type: 'certification-result', session: session.id, body: Buffer.from(body) });
    } else {
      session.refuse('certification-result');
    }
  }

  /** The end of a request: a challenge that brought no signature is told to the control thread. */
  observed(requester: Endpoint, frame: Buffer, result: number): void {
    if (requester.isPeer || result === 0) return;
    const name = topicOf(frame);
    if (parsePrivateTopic(name)?.kind !== 'challenge') return;
    if (requester.id === AGENT_SESSION) this.#agentAnswer(frame, undefined);
    else this.#post({ type: 'challenge-failed', session: requester.id, topic: name });
  }

  // ---- frames of peers

  /** A plain AMOP frame on a private topic: a 2.x node sends no other, a relay never does. */
  fromNode(link: PeerLink, frame: Buffer, topicId: number, ticket: number): void {
    const known = this.#known(topicId);
    const name = known?.name ?? topicOf(frame);
    const topic = parsePrivateTopic(name);
    const receivers = topic?.kind === 'message' ? this.#receivers.unnamed(name, link.legacy) : undefined;
    if (receivers) {
      this.#deliver(link, frame, ticket, known, receivers);
    } else if (link.legacy && topic?.kind === 'challenge' && isUnicast(frame)) {
      this.#challengeFromPeer(link, frame, ticket, name, topic, link.identity.nodeId);
    } else {
      link.refuse('malformed-body');
      this.#refuse(link, frame, ticket, 'private-topic');
    }
  }

  /** A frame of the relays' own module that carries a channel frame. */
  fromRelay(link: PeerLink, packetType: number, payload: Buffer, ticket: number): void {
    const message = packetType === RelayPacketType.privateMessage ? decodePrivateMessage(payload) : undefined;
    const challenge = packetType === RelayPacketType.challenge ? decodeChallenge(payload) : undefined;
    const frame = (message ?? challenge)?.frame;
    const topicId = frame && link.routableTopic(frame);
    if (!frame || topicId === undefined) {
      link.refuse('malformed-frame');
      return;
    }
    const known = this.#known(topicId);
    const name = known?.name ?? topicOf(frame);
    if (message && name.startsWith(MESSAGE_TOPIC_PREFIX)) {
      this.#deliver(link, frame, ticket, known, this.#receivers.named(message.handles, name));
      return;
    }
    const topic = parsePrivateTopic(name);
    if (!topic) {
      link.refuse('malformed-frame');
    } else if (challenge && topic.kind === 'challenge' && isUnicast(frame)) {
      // A handle is what this peer calls one of its sessions: that of another peer is not its to use up.
      this.#challengeFromPeer(link, frame, ticket, name, topic, `${link.identity.nodeId} ${challenge.handle}`);
    } else {
      link.refuse('malformed-body');
      this.#refuse(link, frame, ticket, 'private-topic');
    }
  }

  // ---- what the control thread says

  onMessage(message: PrivateMessage): void {
    switch (message.type) {
      case 'private-sender': {
        const state = this.#states.get(message.session);
        if (message.route === undefined) state?.senderOf.delete(message.topic);
        else state?.senderOf.set(message.topic, message.route);
        return;
      }
      case 'private-target':
        this.#target(message.route, message.topic, message.endpoint, message.handles);
        return;
      case 'private-untarget': {
        const topic = this.#routes.get(message.route)?.get(message.topic);
        if (topic) this.#take(topic, message.endpoint);
        return;
      }
      case 'private-settled':
        this.#settled(message.session);
        return;
      case 'challenge-route':
        this.#challengeRoute(message.topic, message.endpoints);
        return;
      case 'challenge-listed':
        this.#list(message.nodeId, message.topics);
        return;
      case 'challenge-send':
        this.#challengeAsAgent(message);
        return;
      case 'certify': {
        const session = this.#endpointOf(message.session);
        if (session && !session.isPeer) this.#ask(session, message);
        return;
      }
    }
  }

  // ---- inside

  /** The topic that the scanner found; its name needs no decoding. */
  #known(topicId: number): Topic | undefined {
    return topicId < 0 ? undefined : this.#context.topics.topic(topicId);
  }

  #list(nodeId: string, topics: readonly string[]): void {
    this.#listed.delete(nodeId);
    if (topics.length > 0) this.#listed.set(nodeId, new Set(topics));
    if (this.#listed.size <= LISTED_MAX) return;
    const [oldest] = this.#listed.keys();
    this.#listed.delete(oldest);
  }

  /** What the session subscribes to, what the relay answers in its place, or its name may be something else now. */
  #rename(session: Session, state: PrivateState): void {
    const answered = this.#agents.challengeTopicsFor(session.identity, state.requested);
    const topics = [...state.requested, ...answered];
    const { organisation } = session.identity;
    if (same(topics, state.topics) && same(answered, state.answered) && organisation === state.organisation) return;
    state.answered = answered;
    state.topics = topics;
    state.organisation = organisation;
    this.#receivers.subscribed(session, topics);
    this.#withdraw(session, state);
    this.#announce(session, topics, answered);
  }

  /** What the session has given up ends at once; what it has new is for the control thread to decide. */
  #withdraw({ id }: Session, state: PrivateState): void {
    const names = new Set(state.topics);
    for (const messageTopic of [...state.senderOf.keys()]) {
      if (!names.has(PUSH_TOPIC_PREFIX + messageTopic)) state.senderOf.delete(messageTopic);
    }
    for (const topic of [...(this.#standsIn.get(id) ?? [])]) {
      if (!names.has(topic.name)) this.#take(topic, id);
    }
  }

  #announce(session: Session, topics: readonly string[], answered: readonly string[]): void {
    const { certificateDigest, organisation, subject } = session.identity;
    const { id, handle } = session;
    const who = { id, handle, certificateDigest, organisation, subject };
    this.#post({ type: 'private-topics', session: who, topics, answered });
  }

  #message(session: Session, state: PrivateState | undefined, frame: Buffer, name: string): void {
    const { router, clock, stats } = this.#context;
    const route = state?.senderOf.get(name) ?? (this.#agents.maySend(session.identity, name) ? AGENT_ROUTE : undefined);
    const topic = route === undefined ? undefined : this.#routes.get(route)?.get(name);
    // Behind those that wait, too: what the result allows is told before the result is settled. A multicast is for everybody whom it
    // allows, so it waits even where somebody was allowed before.
    const waits =
      state !== undefined && state.unsettled > 0 && (!topic || state.parked.length > 0 || !isUnicast(frame));
    if (waits && state.parked.length < PARKED_MAX) {
      session.held(frame.length);
      state.parked.push(owned(frame));
      return;
    }
    if (!topic || waits) {
      router.refuse(session, frame, 100, 'not-certified');
      return;
    }
    const nowMs = clock.nowMs();
    if (isUnicast(frame)) {
      if (mayPass(this.#context, session, frame, name, 1, false, nowMs)) {
        router.unicastTo(session, owned(frame), topic, undefined, nowMs);
      }
      return;
    }
    const { sessions, peers } = topic.countOthers(session);
    if (!mayPass(this.#context, session, frame, name, sessions + peers, peers > 0, nowMs)) return;
    session.acknowledge(frame);
    const dropped = () => stats.add('multicastDropped', QUEUE_FULL);
    count(this.#context, router.multicastTo(session, owned(frame), topic, undefined, nowMs, dropped));
  }

  #settled(id: number): void {
    const state = this.#states.get(id);
    const session = this.#endpointOf(id);
    if (!state || !session || session.isPeer || --state.unsettled > 0) return;
    const parked = state.parked;
    state.parked = [];
    for (const frame of parked) {
      session.released(frame.length);
      this.#message(session, state, frame, topicOf(frame));
    }
  }

  #challenge(session: Session, frame: Buffer, name: string, topic: PrivateTopic): void {
    const state = this.#states.get(session.id);
    const certifying = state?.senderOf.has(topic.messageTopic) ?? false;
    const only = state?.asked.receivers(name);
    const result = this.#pass(session, frame, name, topic, { source: session.handle, certifying, only }, 0);
    if (result === 'passed') return;
    this.#context.router.refuse(
      session,
      frame,
      100,
      result === 'no-subscriber' ? 'no-subscriber' : 'challenge-refused',
    );
  }

  #challengeFromPeer(
    link: PeerLink,
    frame: Buffer,
    ticket: number,
    name: string,
    topic: PrivateTopic,
    source: string,
  ): void {
    const certifying = this.#listed.get(link.identity.nodeId)?.has(name) ?? false;
    const result = this.#pass(link, frame, name, topic, { source, certifying, only: undefined }, ticket);
    if (result !== 'passed') this.#context.router.refuse(link, frame, 100, 'challenge-refused', ticket);
  }

  /** Hands a challenge to who holds its topic, if the gate lets it. */
  #pass(
    requester: Session | PeerLink | AgentSender,
    frame: Buffer,
    name: string,
    { messageTopic }: PrivateTopic,
    { source, certifying, only }: Challenger,
    ticket: number,
  ): ChallengeResult {
    const { router, clock, stats } = this.#context;
    const nowMs = clock.nowMs();
    const holders = this.#challengeTopics.get(name);
    const result = this.#gate.admit(
      {
        source,
        peer: requester.isPeer ? requester.identity.nodeId : undefined,
        certifying,
        held: holders !== undefined,
        challengeTopic: name,
        messageTopic,
        payload: payloadOf(frame),
      },
      nowMs,
    );
    stats.add('challenges', CHALLENGE_RESULTS.indexOf(result));
    if (result !== 'passed' || !holders) return result;
    const signature = this.#isAnsweredHere(holders, only) && this.#agents.sign(messageTopic, payloadOf(frame));
    if (signature) {
      const seq = frame.subarray(SEQ_OFFSET, SEQ_OFFSET + SEQ_BYTES);
      requester.answer(encodeFrame(MessageType.response, seq, 0, encodeAmopBody(name, signature)), ticket);
    } else {
      router.unicastTo(requester, owned(frame), holders, only, nowMs, ticket);
    }
    return result;
  }

  /**
   * Is the challenge for a session in whose place the relay answers? The name alone does not tell: a peer or another session may have
   * copied it, and a signature would certify that one.
   */
  #isAnsweredHere({ name, subscribers }: DetachedTopic, only: ReadonlySet<number> | undefined): boolean {
    let isHere = false;
    subscribers.forEach(({ id }) => {
      if (only && !only.has(id)) return;
      if (this.#states.get(id)?.answered.includes(name)) isHere = true;
    });
    return isHere;
  }

  #challengeAsAgent({
    topic: name,
    endpoint,
    seq,
    payload,
  }: Extract<PrivateMessage, { type: 'challenge-send' }>): void {
    const topic = parsePrivateTopic(name);
    const frame = encodeFrame(MessageType.unicast, seq, 0, encodeAmopBody(name, payload));
    const only = new Set(endpoint === undefined ? [] : [endpoint]);
    const sender = this.#agentSender;
    const challenger = { source: sender.handle, certifying: true, only };
    if (!topic || this.#pass(sender, frame, name, topic, challenger, 0) !== 'passed')
      this.#agentAnswer(frame, undefined);
  }

  /** A 0x31 for the relay itself. As for an SDK, one with another result than 0 is no answer. */
  #agentAnswered(frame: Buffer): void {
    if (frame.readInt32BE(RESULT_OFFSET) !== 0) {
      this.#agentAnswer(frame, undefined);
      return;
    }
    const body = decodeAmopBody(frame.subarray(CHANNEL_HEADER_BYTES));
    this.#agentAnswer(frame, body.ok ? body.payload : Buffer.alloc(0));
  }

  /** @param frame of the sequence in question */
  #agentAnswer(frame: Buffer, signature: Buffer | undefined): void {
    const seq = Buffer.from(frame.subarray(SEQ_OFFSET, SEQ_OFFSET + SEQ_BYTES));
    const kept = signature && Buffer.from(signature.subarray(0, SIGNATURE_BYTES_MAX));
    this.#post({ type: 'challenge-answered', seq, signature: kept });
  }

  #deliver(link: PeerLink, frame: Buffer, ticket: number, topic: Topic | undefined, only: ReadonlySet<number>): void {
    const { router, clock, stats } = this.#context;
    const nowMs = clock.nowMs();
    if (!isUnicast(frame)) {
      if (!topic) return;
      const dropped = () => stats.add('multicastDropped', QUEUE_FULL);
      count(this.#context, router.multicastTo(link, owned(frame), topic, only, nowMs, dropped));
    } else if (topic) {
      router.unicastTo(link, owned(frame), topic, only, nowMs, ticket);
    } else {
      router.refuse(link, frame, 101, 'no-subscriber', ticket);
    }
  }

  /** Nothing is answered to a multicast. */
  #refuse(link: PeerLink, frame: Buffer, ticket: number, reason: 'private-topic'): void {
    if (isUnicast(frame)) this.#context.router.refuse(link, frame, 100, reason, ticket);
  }

  #target(route: string, name: string, id: number, handles: readonly string[]): void {
    const endpoint = this.#endpointOf(id);
    if (!endpoint || endpoint.closed) return;
    const byName = this.#routes.get(route) ?? new Map<string, DetachedTopic>();
    this.#routes.set(route, byName);
    const topic = byName.get(name) ?? new DetachedTopic(name, new MessageForm(route));
    byName.set(name, topic);
    (topic.form as MessageForm).set(id, handles);
    this.#put(topic, endpoint, Math.max(1, handles.length));
  }

  #challengeRoute(name: string, ids: readonly number[]): void {
    const topic = this.#challengeTopics.get(name) ?? new DetachedTopic(name, CHALLENGE_FORM);
    const wanted = new Set(ids);
    const gone: number[] = [];
    topic.subscribers.forEach(({ id }) => {
      if (!wanted.has(id)) gone.push(id);
    });
    for (const id of gone) this.#take(topic, id);
    for (const id of wanted) {
      const endpoint = this.#endpointOf(id);
      if (endpoint && !endpoint.closed) this.#put(topic, endpoint, 1);
    }
    if (topic.subscribers.size > 0) this.#challengeTopics.set(name, topic);
  }

  #put(topic: DetachedTopic, endpoint: Endpoint, weight: number): void {
    topic.subscribers.add(endpoint, weight);
    const standsIn = this.#standsIn.get(endpoint.id) ?? new Set<DetachedTopic>();
    this.#standsIn.set(endpoint.id, standsIn);
    standsIn.add(topic);
  }

  /** Takes a receiver out, and with the last one its topic: one without receivers is as good as none. */
  #take(topic: DetachedTopic, id: number): void {
    const endpoint = this.#endpointOf(id);
    if (endpoint) topic.subscribers.remove(endpoint);
    const standsIn = this.#standsIn.get(id);
    standsIn?.delete(topic);
    if (standsIn?.size === 0) this.#standsIn.delete(id);
    if (topic.subscribers.size > 0) return;
    if (!(topic.form instanceof MessageForm)) {
      this.#challengeTopics.delete(topic.name);
      return;
    }
    const { route } = topic.form;
    const byName = this.#routes.get(route);
    byName?.delete(topic.name);
    if (byName?.size === 0) this.#routes.delete(route);
  }

  /** The endpoint is receiver and sender of nothing any more. Called while it can still be found by its number. */
  #leave(id: number): void {
    for (const topic of [...(this.#standsIn.get(id) ?? [])]) this.#take(topic, id);
  }

  #ask(session: Session, { body, challengeTopic, endpoint }: Extract<PrivateMessage, { type: 'certify' }>): void {
    const state = this.#states.get(session.id);
    if (!state || session.closed) return;
    state.asked.asked(challengeTopic, endpoint);
    this.#question++;
    const seq = Buffer.from(String(this.#question).padStart(SEQ_BYTES, '0'), 'latin1');
    if (state.questions.size >= QUESTIONS_MAX) {
      const [oldest] = state.questions;
      state.questions.delete(oldest);
    }
    state.questions.add(seq.toString('hex'));
    session.send(encodeFrame(MessageType.requestCertification, seq, 0, body));
  }
}

/** Names the sessions behind a relay that may receive; a 2.x node gets the plain frame. */
class MessageForm implements RelayForm {
  readonly packetType = RelayPacketType.privateMessage;
  readonly route: string;
  readonly #links = new Map<number, LinkHandles>();

  constructor(route: string) {
    this.route = route;
  }

  set(link: number, handles: readonly string[]): void {
    const some = handles.slice(0, HANDLES_MAX);
    this.#links.set(link, { handles: some, prefix: some.length > 0 ? encodeHandles(some) : undefined, next: 0 });
  }

  prefix(link: number, frame: Buffer): Buffer | undefined {
    const known = this.#links.get(link);
    if (!known) return undefined;
    const { handles } = known;
    if (handles.length <= UNICAST_HANDLES_MAX || !isUnicast(frame)) return known.prefix;
    const some = Array.from({ length: UNICAST_HANDLES_MAX }, (_, at) => handles[(known.next + at) % handles.length]);
    known.next = (known.next + 1) % handles.length;
    return encodeHandles(some);
  }

  mayBePlain(link: number): boolean {
    return this.#links.get(link)?.handles.length === 0;
  }
}

/** Names the session that challenges. */
const CHALLENGE_FORM: RelayForm = {
  packetType: RelayPacketType.challenge,
  mayBePlain: () => true,
  prefix: (_link, _frame, sender) =>
    'handle' in sender ? encodeHandle((sender as Session | AgentSender).handle) : undefined,
};

/** Longer than any signature: only its length matters then, which is wrong. */
const SIGNATURE_BYTES_MAX = 256;

/** Two topics and a node ID, and room for blanks. */
const RESULT_BYTES_MAX = 4_096;

/** A handle for a session's life: nobody can guess one. */
export function newHandle(): string {
  return randomBytes(8).toString('hex');
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name, index) => name === b[index]);

const isUnicast = (frame: Buffer): boolean => frame[TYPE_LOW_BYTE] === MessageType.unicast;

const topicOf = (frame: Buffer): string =>
  frame.toString('utf8', CHANNEL_HEADER_BYTES + 1, CHANNEL_HEADER_BYTES + frame[CHANNEL_HEADER_BYTES]);

const payloadOf = (frame: Buffer): Buffer => frame.subarray(CHANNEL_HEADER_BYTES + frame[CHANNEL_HEADER_BYTES]);

function count({ stats }: ShardContext, copies: number): void {
  if (copies < 0) stats.add('multicastDuplicates');
  else stats.add('multicastCopies', 0, copies);
}
