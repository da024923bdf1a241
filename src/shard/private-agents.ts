/**
 * Private topics that the relay speaks for, in the place of sessions whose SDK cannot (`[[private_topic]]` with keys, decisions §10):
 * it certifies the subscribers of a topic for sessions that may send, and it answers challenges for sessions that may receive.
 *
 * Those sessions use the whole name of the message topic, `#!$TopicNeedVerify_…`, and nothing else of the exchange.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type NamedSession, SessionNames } from '../core/session-names.js';
import { CHALLENGE_TOPIC_PREFIX, isChallengeTopicOf } from '../wire/channel/topic.js';

export interface AgentSetup {
  readonly messageTopic: string;
  /** `sessions` of the configuration. */
  readonly sessions: readonly string[];
  /** The relay certifies the subscribers. */
  readonly sends: boolean;
  /** 32 bytes; undefined where the relay answers no challenge. */
  readonly privateKey: Uint8Array | undefined;
}

/** 65 bytes for what a challenge topic was sent. */
export type SignChallenge = (payload: Uint8Array, privateKey: Uint8Array) => Uint8Array;

/** The sender in whose place the relay certifies; no connection has this number. */
export const AGENT_SESSION = 0;
export const AGENT_ROUTE = `s${AGENT_SESSION}`;

/** Above this the oldest is forgotten; the sessions of a topic are at most as many. */
const CHALLENGE_TOPICS_MAX = 16_384;

interface Agent {
  readonly sessions: SessionNames;
  readonly sends: boolean;
  readonly privateKey: Uint8Array | undefined;
}

export class PrivateAgents {
  readonly #agents = new Map<string, Agent>();
  readonly #sign: SignChallenge | undefined;
  /** Makes challenge topics that nobody can guess and that stay while the process lives. */
  readonly #secret = randomBytes(32);
  /** Keys by challenge topic. */
  readonly #keys = new Map<string, Uint8Array>();

  /** @param sign needed when an agent has a private key */
  constructor(agents: readonly AgentSetup[], sign?: SignChallenge) {
    this.#sign = sign;
    for (const { messageTopic, sessions, sends, privateKey } of agents) {
      this.#agents.set(messageTopic, { sessions: new SessionNames(sessions), sends, privateKey });
    }
  }

  /** May the session send on the message topic over the certification of the relay? */
  maySend(session: NamedSession, messageTopic: string): boolean {
    const agent = this.#agents.get(messageTopic);
    return agent?.sends === true && agent.sessions.has(session);
  }

  /**
   * The private names of a session, with a challenge topic of the relay's own for each message topic that it answers on in the
   * session's place. One for each certificate, so that claims of several certificates on one never meet.
   */
  withChallengeTopics(session: NamedSession, names: readonly string[]): readonly string[] {
    if (this.#agents.size === 0) return names;
    const own: string[] = [];
    for (const name of names) {
      const agent = this.#agents.get(name);
      if (!agent?.privateKey || !agent.sessions.has(session)) continue;
      if (names.some((other) => isChallengeTopicOf(other, name))) continue;
      own.push(this.#challengeTopic(session, name, agent.privateKey));
    }
    return own.length === 0 ? names : [...names, ...own];
  }

  /** The signature of a challenge, or undefined where the topic is none of the relay's own. */
  sign(challengeTopic: string, payload: Uint8Array): Uint8Array | undefined {
    const key = this.#keys.get(challengeTopic);
    return key && this.#sign?.(payload, key);
  }

  #challengeTopic({ certificateDigest }: NamedSession, messageTopic: string, key: Uint8Array): string {
    const digits = createHmac('sha256', this.#secret).update(`${certificateDigest} ${messageTopic}`).digest('hex');
    const topic = `${CHALLENGE_TOPIC_PREFIX}${messageTopic}_${digits.slice(0, 32)}`;
    this.#keys.delete(topic);
    this.#keys.set(topic, key);
    if (this.#keys.size > CHALLENGE_TOPICS_MAX) {
      const [oldest] = this.#keys.keys();
      this.#keys.delete(oldest);
    }
    return topic;
  }
}
