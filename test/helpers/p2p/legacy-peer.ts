/**
 * A scripted fisco 2.x node, written from its specification (§3) and the captured frames alone: what a relay meets on the
 * P2P port of an existing chain. It keeps the reference's habits where a relay must live with them:
 *
 *   announces its topic number at the start of a session and on its own 5 s tick, never on a change
 *   pulls the list when the announced number is not the one it knows; asks nothing else
 *   compresses bodies above 1,024 bytes, takes compressed ones
 *   refuses the newer of two connections with one node ID, whoever dialled; says nothing when it closes
 *   answers a unicast with its subscriber's 0x31, or with 104 and the request's body; a 104 from others is final
 *   asks its application about private topics of a peer with every list, and with every announcement that is no news
 *   sends on a private topic to peers for which its application has said 0, as legacy-certification.ts has the rules
 *   drops unknown protocol IDs and packet types without a word
 *   redials static peers on a fixed tick, without back-off
 *
 * One counter numbers its requests, from 2; announcements carry 0. Every frame received stands in `frames` with its time.
 */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { DEFAULT_DEADLINE_MS, until } from '../deadline.js';
import { amopBody, decodeFrame, encodeFrame, type Frame, HEADER_BYTES, newSeq, parseAmopBody, TYPE } from '../wire.js';
import {
  PUSH_PREFIX,
  STATUS,
  type Status,
  type Statuses,
  statusesAfter,
  statusesOf,
  verifying,
} from './legacy-certification.js';
import { guardCertificate, P2PLink, p2pTlsOptions, type ReceivedP2PFrame } from './p2p-link.js';
import type { NodeCredentials } from './p2p-pki.js';
import { AMOP, type Format, formatTopicList, type P2PFrame, PROTOCOL, parseTopicList, TOPICS } from './p2p-wire.js';

const FIRST_SEQ = 2;
const NO_PEER = 100;
const NO_SUBSCRIBER = 104;
/** A connection that brings nothing for this long is dropped. */
const IDLE_TIMEOUT_MS = 60_000;

export interface LegacyAnswer {
  readonly result?: number;
  /** The whole AMOP body. */
  readonly body: Uint8Array;
}

/** A 0x37 to the node's application. */
export interface LegacyQuestion {
  readonly nodeId: string;
  readonly topic: string;
  readonly topicForCert: string;
  readonly frame: Frame;
  readonly atMs: number;
}

export interface LegacyPeerOptions {
  readonly credentials: NodeCredentials;
  readonly format?: Format;
  /** 0 takes a free port. */
  readonly port?: number;
  readonly announceIntervalMs?: number;
  readonly redialIntervalMs?: number;
  /** How long a local subscriber may take before the 104. */
  readonly subscriberTimeoutMs?: number;
  /** How long another node may take before the next one is tried. */
  readonly responseTimeoutMs?: number;
  readonly compress?: boolean;
  /** First number of its topic list: a node that ran before does not start at 0. */
  readonly topicSeq?: number;
  /** Pulls a list that it heard of with its own next announcement, not at once. */
  readonly pullsOnTick?: boolean;
}

export interface LegacyFrame extends ReceivedP2PFrame {
  /** Who sent it. */
  readonly nodeId: string;
}

interface Session {
  readonly link: P2PLink;
  readonly announce: NodeJS.Timeout;
  idle: NodeJS.Timeout;
  /** Number of the list held; 0 at first. */
  topicSeq: number;
  /** Last number heard. */
  heardSeq: number;
  statuses: Statuses;
}

interface Exchange {
  readonly session: Session;
  readonly settle: (answer: P2PFrame | 'timeout' | 'disconnect') => void;
}

interface StaticPeer {
  readonly port: number;
  readonly timer: NodeJS.Timeout;
  nodeId: string | undefined;
  pending: boolean;
}

export class LegacyPeer {
  readonly nodeId: string;
  readonly credentials: NodeCredentials;
  readonly format: Format;
  readonly frames: LegacyFrame[] = [];
  /** Multicasts on its topics, as its subscribers would get them. */
  readonly multicasts: Frame[] = [];
  /** Unicasts handed to a subscriber. */
  readonly unicasts: Frame[] = [];
  /** Connections refused because the node ID was connected already. */
  duplicatesRefused = 0;
  /** Streams that a real node could not have followed; must stay empty. */
  readonly faults: string[] = [];
  /** The local subscriber: undefined is silence. Asked only for topics that this node subscribes to. */
  answerer: (request: Frame) => LegacyAnswer | undefined = () => undefined;
  /** What was asked of the application of this node that has the push topic of a private topic. */
  readonly questions: LegacyQuestion[] = [];
  /** That application; it challenges by `unicast` and says what came of it by `updateTopicStatus`. */
  certifier: (question: LegacyQuestion) => void = () => {};
  private readonly options: Required<Omit<LegacyPeerOptions, 'format'>>;
  private readonly server: tls.Server;
  private readonly accepted = new Set<Socket>();
  private readonly sessions = new Map<string, Session>();
  private readonly exchanges = new Map<number, Exchange>();
  private readonly statics = new Set<StaticPeer>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private ownTopics: ReadonlySet<string> = new Set();
  private ownTopicSeq: number;
  private nextSeq = FIRST_SEQ;
  private stopped = false;

  private constructor(options: LegacyPeerOptions) {
    this.options = {
      port: 0,
      announceIntervalMs: 5_000,
      redialIntervalMs: 10_000,
      subscriberTimeoutMs: 5_000,
      responseTimeoutMs: 30_000,
      compress: true,
      topicSeq: 0,
      pullsOnTick: false,
      ...options,
    };
    this.format = options.format ?? 'rc2';
    this.credentials = options.credentials;
    this.nodeId = options.credentials.nodeId;
    this.ownTopicSeq = this.options.topicSeq;
    this.server = tls.createServer(
      { ...p2pTlsOptions(options.credentials), requestCert: true, rejectUnauthorized: true },
      (socket) => {
        const certificate = guardCertificate(socket)();
        this.open(new P2PLink(socket, certificate, this.linkOptions()));
      },
    );
    this.server.on('connection', (socket: Socket) => {
      this.accepted.add(socket);
      socket.on('close', () => this.accepted.delete(socket));
    });
    this.server.on('tlsClientError', (_, socket) => socket.destroy());
    this.server.on('error', () => {});
  }

  static async start(options: LegacyPeerOptions): Promise<LegacyPeer> {
    const peer = new LegacyPeer(options);
    peer.server.listen(peer.options.port, '127.0.0.1');
    await once(peer.server, 'listening');
    return peer;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get topicSeq(): number {
    return this.ownTopicSeq;
  }

  /** Node IDs of the peers connected now. */
  get connected(): string[] {
    return [...this.sessions.keys()];
  }

  /** The connection of a peer, for a test that wants to break it. */
  link(nodeId: string): P2PLink {
    const session = this.sessions.get(nodeId);
    if (session === undefined) throw new Error(`${nodeId.slice(0, 8)} is not connected`);
    return session.link;
  }

  /** A static peer of the configuration: dialled now, and on every tick while it is not connected. */
  dial(port: number): void {
    const attempt = () => void this.attempt(entry);
    const timer = setInterval(attempt, this.options.redialIntervalMs);
    const entry: StaticPeer = { port, timer, nodeId: undefined, pending: false };
    this.statics.add(entry);
    attempt();
  }

  /** Replaces the topics of the local subscribers. Nothing is sent: peers learn at the next tick, or when they pull. */
  subscribe(...topics: string[]): void {
    this.ownTopics = new Set(topics);
    this.ownTopicSeq++;
  }

  /** Answers as the subscriber of the captures did: the topic, and `echo:` before the payload. */
  answerWithEcho(): void {
    this.answerer = (request) => {
      const { topic, payload } = parseAmopBody(request.body);
      return { body: amopBody(topic, Buffer.concat([Buffer.from('echo:'), payload])) };
    };
  }

  /** A unicast of a local application; the answer is what the application would get. */
  unicast(topic: string, payload: Uint8Array | string = '', seq: string = newSeq()): Promise<Frame> {
    return this.forward(encodeFrame(TYPE.unicast, seq, 0, amopBody(topic, payload)));
  }

  /** As `unicast`, with the application's frame given. */
  async forward(channelFrame: Buffer): Promise<Frame> {
    const { seq, body } = decodeFrame(channelFrame);
    const { topic } = parseAmopBody(body);
    const candidates = this.peersOf(topic);
    const p2pSeq = this.nextSeq++; // one number for all attempts
    while (candidates.length > 0) {
      const [session] = candidates.splice(Math.floor(Math.random() * candidates.length), 1);
      const answer = await this.ask(session, p2pSeq, channelFrame);
      if (typeof answer !== 'string') return decodeFrame(answer.data);
    }
    return decodeFrame(encodeFrame(TYPE.response, seq, NO_PEER, ''));
  }

  /** A multicast of a local application, one copy to each peer that has the topic; returns how many. */
  multicast(topic: string, payload: Uint8Array | string = '', seq: string = newSeq()): number {
    return this.forwardMulticast(encodeFrame(TYPE.multicast, seq, 0, amopBody(topic, payload)));
  }

  forwardMulticast(channelFrame: Buffer): number {
    const { topic } = parseAmopBody(decodeFrame(channelFrame).body);
    const peers = this.peersOf(topic);
    const message = { protocolId: PROTOCOL.amop, packetType: AMOP.multicast, seq: this.nextSeq++, data: channelFrame };
    for (const { link } of peers) link.send(message, this.options.compress);
    return peers.length;
  }

  /** Announces now, as if the tick had come. */
  announce(nodeId?: string): void {
    for (const session of this.sessions.values()) {
      if (nodeId === undefined || session.link.nodeId === nodeId) this.announceTo(session);
    }
  }

  /** The 0x38 of an application of this node: never answered, and taken from anybody. */
  updateTopicStatus(nodeId: string, topic: string, checkResult: number): void {
    const session = this.sessions.get(nodeId);
    if (session !== undefined) session.statuses = statusesAfter(session.statuses, topic, checkResult);
  }

  statusOf(nodeId: string, topic: string): Status | undefined {
    return this.sessions.get(nodeId)?.statuses.get(topic);
  }

  topicsOf(nodeId: string): ReadonlySet<string> {
    return new Set(this.sessions.get(nodeId)?.statuses.keys());
  }

  waitForPeer(nodeId: string, deadlineMs: number = DEFAULT_DEADLINE_MS): Promise<true> {
    return until(() => this.sessions.has(nodeId) as true, `peer ${nodeId.slice(0, 8)} at the node`, deadlineMs);
  }

  waitForTopic(topic: string, nodeId?: string, deadlineMs: number = DEFAULT_DEADLINE_MS): Promise<true> {
    return until(
      () => (nodeId === undefined ? this.peersOf(topic).length > 0 : this.topicsOf(nodeId).has(topic)) as true,
      `topic ${topic} at the node`,
      deadlineMs,
    );
  }

  waitForFrame(
    matches: (frame: LegacyFrame) => boolean,
    what: string,
    deadlineMs: number = DEFAULT_DEADLINE_MS,
  ): Promise<LegacyFrame> {
    return until(() => this.frames.find(matches), `${what} at the node`, deadlineMs);
  }

  /** Received frames of protocol 1, requests and answers. */
  get amopFrames(): LegacyFrame[] {
    return this.frames.filter(({ protocolId }) => Math.abs(protocolId) === PROTOCOL.amop);
  }

  get topicFrames(): LegacyFrame[] {
    return this.frames.filter(({ protocolId }) => Math.abs(protocolId) === PROTOCOL.topics);
  }

  /** Ends like a process that is killed: every connection closes without a word. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const { timer } of this.statics) clearInterval(timer);
    for (const timer of this.timers) clearTimeout(timer);
    for (const { link } of [...this.sessions.values()]) link.destroy();
    for (const socket of this.accepted) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private linkOptions() {
    return {
      format: this.format,
      onFrame: (frame: ReceivedP2PFrame, link: P2PLink) => this.receive(frame, link),
      onClose: (link: P2PLink) => this.close(link),
    };
  }

  private async attempt(entry: StaticPeer): Promise<void> {
    const known = entry.nodeId !== undefined && (entry.nodeId === this.nodeId || this.sessions.has(entry.nodeId));
    if (this.stopped || entry.pending || known) return;
    entry.pending = true;
    try {
      const { credentials } = this.options;
      const link = await P2PLink.dial({ port: entry.port, credentials, ...this.linkOptions() });
      entry.nodeId = link.nodeId;
      this.open(link);
    } catch {
      // the next tick tries again
    } finally {
      entry.pending = false;
    }
  }

  private open(link: P2PLink): void {
    if (this.stopped || link.isClosed || link.nodeId === this.nodeId) {
      link.destroy();
      return;
    }
    if (this.sessions.has(link.nodeId)) {
      this.duplicatesRefused++;
      link.destroy();
      return;
    }
    const session: Session = {
      link,
      announce: setInterval(() => this.tick(session), this.options.announceIntervalMs),
      idle: setTimeout(() => link.destroy(), IDLE_TIMEOUT_MS),
      topicSeq: 0,
      heardSeq: 0,
      statuses: new Map(),
    };
    this.sessions.set(link.nodeId, session);
    this.announceTo(session);
  }

  private close(link: P2PLink): void {
    if (link.fault !== undefined) this.faults.push(`${link.nodeId.slice(0, 8)}: ${link.fault}`);
    const session = this.sessions.get(link.nodeId);
    if (session?.link !== link) return;
    clearInterval(session.announce);
    clearTimeout(session.idle);
    this.sessions.delete(link.nodeId);
    for (const entry of this.statics) if (entry.nodeId === link.nodeId) entry.nodeId = undefined;
    for (const exchange of [...this.exchanges.values()]) {
      if (exchange.session === session) exchange.settle('disconnect');
    }
  }

  private receive(frame: ReceivedP2PFrame, link: P2PLink): void {
    const session = this.sessions.get(link.nodeId);
    if (session?.link !== link) return;
    session.idle.refresh();
    this.frames.push({ ...frame, nodeId: link.nodeId });
    if (Math.abs(frame.protocolId) === PROTOCOL.topics) this.receiveTopics(frame, session);
    else if (frame.protocolId === PROTOCOL.amop) this.receiveAmop(frame, session);
    else if (frame.protocolId < 0) {
      const exchange = this.exchanges.get(frame.seq); // only session and seq are compared
      if (exchange?.session === session) exchange.settle(frame);
    }
  }

  private receiveTopics({ packetType, seq, data }: P2PFrame, session: Session): void {
    if (packetType === TOPICS.seq) {
      if (!/^\d+$/.test(`${data}`)) return;
      session.heardSeq = Number(`${data}`);
      if (session.heardSeq === session.topicSeq) this.askAbout(session);
      else if (!this.options.pullsOnTick) this.pull(session);
    } else if (packetType === TOPICS.request) {
      const data = formatTopicList(this.ownTopicSeq, this.ownTopics);
      const answerSeq = seq === 0 ? this.nextSeq++ : seq; // the node takes a 0 for "not numbered yet"
      session.link.send(
        { protocolId: -PROTOCOL.topics, packetType: TOPICS.list, seq: answerSeq, data },
        this.options.compress,
      );
    } else if (packetType === TOPICS.list) {
      const list = parseTopicList(data);
      session.topicSeq = list.topicSeq;
      session.statuses = statusesOf(session.statuses, list.topics);
      this.askAbout(session);
    }
  }

  private tick(session: Session): void {
    this.announceTo(session);
    if (this.options.pullsOnTick && session.heardSeq !== session.topicSeq) this.pull(session);
  }

  private pull({ link }: Session): void {
    const request = { protocolId: PROTOCOL.topics, packetType: TOPICS.request, seq: this.nextSeq++ };
    link.send({ ...request, data: Buffer.alloc(0) });
  }

  /** Pushes 0x37 to the application for everything of the peer that is verifying. */
  private askAbout({ link: { nodeId }, statuses }: Session): void {
    for (const { topic, topicForCert } of verifying(statuses)) {
      if (!this.ownTopics.has(PUSH_PREFIX + topic)) continue;
      const body = `${JSON.stringify({ nodeId, topic, topicForCert })}\n`;
      const seq = String(this.questions.length + 1).padStart(32, '0');
      const frame = decodeFrame(encodeFrame(TYPE.requestTopicCert, seq, 0, body));
      const question = { nodeId, topic, topicForCert, frame, atMs: performance.now() };
      this.questions.push(question);
      this.certifier(question);
    }
  }

  private receiveAmop({ seq, data }: P2PFrame, session: Session): void {
    if (data.length <= HEADER_BYTES || data.readUInt32BE(0) !== data.length) return; // dropped without a reply
    const request = decodeFrame(data);
    const topic = topicOf(request);
    if (topic === undefined) return;
    if (request.type === TYPE.multicast && this.ownTopics.has(topic)) this.multicasts.push(request);
    if (request.type !== TYPE.unicast) return;
    const reply = (result: number, body: Uint8Array) => {
      if (session.link.isClosed) return;
      const answer = encodeFrame(TYPE.response, request.seq, result, body);
      session.link.send(
        { protocolId: -PROTOCOL.amop, packetType: AMOP.unicast, seq: seq === 0 ? this.nextSeq++ : seq, data: answer },
        this.options.compress,
      );
    };
    if (!this.ownTopics.has(topic)) {
      reply(NO_SUBSCRIBER, request.body);
      return;
    }
    this.unicasts.push(request);
    const answer = this.answerer(request);
    if (answer !== undefined) {
      reply(answer.result ?? 0, answer.body);
      return;
    }
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      reply(NO_SUBSCRIBER, request.body);
    }, this.options.subscriberTimeoutMs);
    this.timers.add(timer);
  }

  private ask(session: Session, seq: number, data: Buffer): Promise<P2PFrame | 'timeout' | 'disconnect'> {
    return new Promise((resolve) => {
      if (session.link.isClosed) return resolve('disconnect');
      const timer = setTimeout(() => exchange.settle('timeout'), this.options.responseTimeoutMs);
      this.timers.add(timer);
      const exchange: Exchange = {
        session,
        settle: (answer) => {
          clearTimeout(timer);
          this.timers.delete(timer);
          if (this.exchanges.get(seq) === exchange) this.exchanges.delete(seq);
          resolve(answer);
        },
      };
      this.exchanges.set(seq, exchange);
      session.link.send({ protocolId: PROTOCOL.amop, packetType: AMOP.unicast, seq, data }, this.options.compress);
    });
  }

  private announceTo({ link }: Session): void {
    const data = Buffer.from(String(this.ownTopicSeq));
    link.send({ protocolId: PROTOCOL.topics, packetType: TOPICS.seq, seq: 0, data });
  }

  private peersOf(topic: string): Session[] {
    return [...this.sessions.values()].filter(({ statuses }) => statuses.get(topic) === STATUS.success);
  }
}

function topicOf(frame: Frame): string | undefined {
  try {
    return parseAmopBody(frame.body).topic;
  } catch {
    return undefined;
  }
}
