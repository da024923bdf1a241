/**
 * Private topics that the relay speaks for, in the place of sessions whose SDK cannot (`[[private_topic]]` with keys, decisions §10):
 * it certifies the subscribers of a topic for sessions that may send, and it answers challenges for sessions that may receive.
 *
 * Those sessions use the whole name of the message topic, `#!$TopicNeedVerify_…`, and nothing else of the exchange.
 *
 * Nothing here remembers a session: who is served is asked anew each time, so a session that is taken out of the configuration is
 * served no more from that moment. Which challenges may be answered is not decided here (private-routes.ts).
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

interface Agent {
  readonly sessions: SessionNames;
  readonly sends: boolean;
  readonly privateKey: Uint8Array | undefined;
}

export class PrivateAgents {
  #agents: ReadonlyMap<string, Agent> = new Map();
  readonly #sign: SignChallenge | undefined;
  /** Makes challenge topics that nobody can guess and that stay while the process lives. */
  readonly #secret = randomBytes(32);

  /** @param sign needed when an agent has a private key */
  constructor(agents: readonly AgentSetup[], sign?: SignChallenge) {
    this.#sign = sign;
    this.replace(agents);
  }

  /** Other topics, sessions or keys. Challenge topics that are made later are the same as before. */
  replace(agents: readonly AgentSetup[]): void {
    this.#agents = new Map(
      agents.map(({ messageTopic, sessions, sends, privateKey }) => [
        messageTopic,
        { sessions: new SessionNames(sessions), sends, privateKey },
      ]),
    );
  }

  /** May the session send on the message topic over the certification of the relay? */
  maySend(session: NamedSession, messageTopic: string): boolean {
    const agent = this.#agents.get(messageTopic);
    return agent?.sends === true && agent.sessions.has(session);
  }

  /** The message topics on which the session may so send. */
  sendTopicsOf(session: NamedSession): readonly string[] {
    return [...this.#agents.keys()].filter((messageTopic) => this.maySend(session, messageTopic));
  }

  /**
   * Challenge topics of the relay's own for a session with these private names: one for each message topic that it answers on in
   * the session's place. One for each certificate, so that claims of several certificates on one never meet.
   */
  challengeTopicsFor(session: NamedSession, names: readonly string[]): readonly string[] {
    if (this.#agents.size === 0) return [];
    const own: string[] = [];
    for (const name of names) {
      const agent = this.#agents.get(name);
      if (!agent?.privateKey || !agent.sessions.has(session)) continue;
      if (!names.some((other) => isChallengeTopicOf(other, name))) own.push(this.#challengeTopic(session, name));
    }
    return own;
  }

  /** The signature of a challenge for the message topic, or undefined where the relay has no key of it. */
  sign(messageTopic: string, payload: Uint8Array): Uint8Array | undefined {
    const privateKey = this.#agents.get(messageTopic)?.privateKey;
    return privateKey && this.#sign?.(payload, privateKey);
  }

  #challengeTopic({ certificateDigest }: NamedSession, messageTopic: string): string {
    const digits = createHmac('sha256', this.#secret).update(`${certificateDigest} ${messageTopic}`).digest('hex');
    return `${CHALLENGE_TOPIC_PREFIX}${messageTopic}_${digits.slice(0, 32)}`;
  }
}
