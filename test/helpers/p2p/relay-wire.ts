/**
 * What relays say among themselves, as docs/protocol.md draws it ("Between relays"), written a second time for the tests.
 *
 *   90/1 hello            u16 version | u32 capabilities | u64 boot epoch in ms
 *   90/2 request, -90/3   number TAB count SP topic TAB … ; behind a private topic `@handle SP digest SP challenge topic` a session
 *   90/4 private message  u16 n | n handles of 8 bytes | channel frame
 *   90/5 challenge        handle of 8 bytes | channel frame
 */
import { PROTOCOL } from './p2p-wire.js';

export const RELAY = { hello: 1, requestTopics: 2, sendTopics: 3, privateMessage: 4, challenge: 5 } as const;
/** Packet type of an AMOP answer that a relay made itself. */
export const RELAY_MADE = 1;
export const RELAY_PROTOCOL = PROTOCOL.relayHello;

const HANDLE_BYTES = 8;

/** A subscriber session of a private topic, as its relay lists it. */
export interface ListedSession {
  readonly topic: string;
  /** 16 hex digits. */
  readonly handle: string;
  /** SHA-256 of its certificate, 64 hex digits. */
  readonly digest: string;
  readonly challengeTopic: string;
}

export function encodeHello(bootEpochMs: number): Buffer {
  const body = Buffer.alloc(14);
  body.writeUInt16BE(1, 0);
  body.writeBigUInt64BE(BigInt(bootEpochMs), 6);
  return body;
}

/** A list that holds private topics only. */
export function formatSessionList(topicSeq: number, sessions: readonly ListedSession[]): Buffer {
  const elements: string[] = [];
  for (const topic of new Set(sessions.map((session) => session.topic))) {
    const own = sessions.filter((session) => session.topic === topic);
    elements.push(`${own.length} ${topic}`);
    for (const { handle, digest, challengeTopic } of own) elements.push(`@${handle} ${digest} ${challengeTopic}`);
  }
  return Buffer.from([topicSeq, ...elements].join('\t'));
}

/** The sessions of private topics in a list. */
export function parseSessionList(data: Buffer): { topicSeq: number; sessions: ListedSession[] } {
  const [topicSeq, ...elements] = data.toString().split('\t');
  const sessions: ListedSession[] = [];
  let topic = '';
  for (const element of elements) {
    const session = /^@([0-9a-f]{16}) ([0-9a-f]{64}) (.*)$/.exec(element);
    if (session) sessions.push({ topic, handle: session[1], digest: session[2], challengeTopic: session[3] });
    else topic = element.slice(element.indexOf(' ') + 1);
  }
  return { topicSeq: Number(topicSeq), sessions };
}

export function encodePrivateMessage(handles: readonly string[], channelFrame: Buffer): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(handles.length);
  return Buffer.concat([count, ...handles.map((handle) => Buffer.from(handle, 'hex')), channelFrame]);
}

export function decodePrivateMessage(data: Buffer): { handles: string[]; channelFrame: Buffer } {
  const start = 2 + data.readUInt16BE(0) * HANDLE_BYTES;
  const handles: string[] = [];
  for (let at = 2; at < start; at += HANDLE_BYTES) handles.push(data.toString('hex', at, at + HANDLE_BYTES));
  return { handles, channelFrame: data.subarray(start) };
}

export function encodeChallenge(handle: string, channelFrame: Buffer): Buffer {
  return Buffer.concat([Buffer.from(handle, 'hex'), channelFrame]);
}

export function decodeChallenge(data: Buffer): { handle: string; channelFrame: Buffer } {
  return { handle: data.toString('hex', 0, HANDLE_BYTES), channelFrame: data.subarray(HANDLE_BYTES) };
}
