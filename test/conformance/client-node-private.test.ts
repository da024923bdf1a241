/**
 * Private topics of the client at a 2.x node, by the captured exchange between two applications of a node of v2.11.0: the client
 * stands in for one of them, the test for the node and the other. Random in it are the keys, the challenge, the challenge topic of
 * the receiver and the seq of what the client sends; everything else must be the captured bytes.
 */
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { describe, expect, it } from 'vitest';
import { type CapturedClient, channelScenarios } from '../helpers/captures.js';
import { type ClientModule, ClientWorld } from '../helpers/client-world.js';
import { DIST_DIR } from '../helpers/pki.js';
import type { Script } from '../helpers/scripted-relay.js';
import { amopBody, decodeFrame, type Frame, parseAmopBody, TYPE } from '../helpers/wire.js';

const world = new ClientWorld((await import(pathToFileURL(join(DIST_DIR, 'client/index.js')).href)) as ClientModule);
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });

/** Frames of a scenario between the node and one application, A the sender and B the receiver. */
function captured(id: string): (client: CapturedClient, fromNode: boolean, type: number) => Frame[] {
  const scenario = channelScenarios().find((one) => one.id === id);
  if (scenario === undefined) throw new Error(`no captured scenario ${id}`);
  return (client, fromNode, type) =>
    scenario.frames
      .filter((one) => one.client === client && one.fromNode === fromNode)
      .map(({ bytes }) => decodeFrame(bytes))
      .filter((frame) => frame.type === type);
}

const good = captured('30-private');
const bad = captured('31-private-failed');
const topicsIn = ({ body }: Frame): string[] => JSON.parse(`${body}`);

function sign(challenge: Uint8Array): Buffer {
  const scalar = Buffer.from(privateKey.export({ format: 'jwk' }).d as string, 'base64url');
  // The library puts v in front, AMOP puts it behind.
  const signed = secp256k1.sign(keccak_256(challenge), scalar, { prehash: false, format: 'recovered' });
  return Buffer.concat([signed.subarray(1), signed.subarray(0, 1)]);
}

/** A node that answers as it did to A; what answers a challenge is chosen by the test, for it depends on the challenge. */
function node(capture: typeof good, signature: (challenge: Buffer) => Buffer): Script {
  const [challenge, message] = capture('A', false, TYPE.unicast);
  const answers = capture('A', true, TYPE.response);
  const challengeTopic = parseAmopBody(challenge.body).topic;
  return {
    onFrame: (frame, peer) => {
      if (frame.type !== TYPE.unicast && frame.type !== TYPE.multicast) return false;
      const { topic, payload } = parseAmopBody(frame.body);
      if (topic === challengeTopic) peer.send(TYPE.response, frame.seq, 0, amopBody(topic, signature(payload)));
      else {
        const answer = answers[frame.type === TYPE.unicast ? 1 : 2];
        if (frame.type === TYPE.unicast) expect(frame.body).toEqual(message.body);
        peer.send(TYPE.response, frame.seq, answer.result, answer.body);
      }
      return true;
    },
  };
}

describe('the client as the sender of the captured exchange', () => {
  it('certifies the receiver and sends what was sent', async () => {
    const { client, peer } = await world.open(node(good, sign));
    const sender = await client.publishPrivate('privTopic', [publicKey]);
    expect(topicsIn(await peer.frame(TYPE.subscribe))).toEqual(topicsIn(good('A', false, TYPE.subscribe)[0]));
    peer.socket.write(good('A', true, TYPE.requestTopicCert)[0].bytes);
    await sender.ready();
    expect((await peer.frame(TYPE.requestTopicCert)).bytes).toEqual(good('A', false, TYPE.requestTopicCert)[0].bytes);
    const challenge = await peer.frame(TYPE.unicast);
    expect(parseAmopBody(challenge.body).payload).toHaveLength(
      parseAmopBody(good('A', false, TYPE.unicast)[0].body).payload.length,
    );
    const [status] = good('A', false, TYPE.updateTopicStatus);
    expect((await peer.frame(TYPE.updateTopicStatus)).body).toEqual(status.body);
    expect((await sender.request('private hello')).text()).toBe('secret echo:private hello');
    await sender.multicast('private multi');
    expect((await peer.frame(TYPE.multicast)).body).toEqual(good('A', false, TYPE.multicast)[0].body);
  });

  it('refuses the receiver with the wrong key, and gets no reason from the node', async () => {
    const [proof] = bad('A', true, TYPE.response);
    const { client, peer } = await world.open(node(bad, () => parseAmopBody(proof.body).payload));
    const sender = await client.publishPrivate('privBad', [publicKey]);
    peer.socket.write(bad('A', true, TYPE.requestTopicCert)[0].bytes);
    const [status] = bad('A', false, TYPE.updateTopicStatus);
    expect((await peer.frame(TYPE.updateTopicStatus)).body).toEqual(status.body);
    expect(sender.status()).toMatchObject([{ state: 'failed', failure: 'wrong-signature' }]);
    const error = await world.failure(sender.request('must fail'));
    expect(error).toMatchObject({ code: 100, reason: undefined });
  });
});

describe('the client as the receiver of the captured exchange', () => {
  it('signs the challenge that the node hands on, and answers the message byte for byte', async () => {
    const { client, peer } = await world.open();
    const got: string[] = [];
    await client.subscribePrivate('privTopic', privateKey, (message) => {
      got.push(message.text());
      return `secret echo:${message.text()}`;
    });
    const own = topicsIn(await peer.frame(TYPE.subscribe)).find((topic) => topic.includes('#!$VerifyChannel_')) ?? '';
    const theirs =
      topicsIn(good('B', false, TYPE.subscribe)[0]).find((one) => one.startsWith('#!$VerifyChannel_')) ?? '';
    expect(own).toHaveLength(theirs.length);
    const [challenge, message] = good('B', true, TYPE.unicast);
    const { payload } = parseAmopBody(challenge.body);
    peer.send(TYPE.unicast, challenge.seq, 0, amopBody(own, payload));
    const proof = await peer.frame(TYPE.response);
    expect([proof.seq, proof.result]).toEqual([challenge.seq, 0]);
    expect(parseAmopBody(proof.body).topic).toBe(own);
    expect(isSignedByUs(parseAmopBody(proof.body).payload, payload)).toBe(true);
    peer.socket.write(message.bytes);
    expect((await peer.frame(TYPE.response, 1)).bytes).toEqual(good('B', false, TYPE.response)[1].bytes);
    peer.socket.write(good('B', true, TYPE.multicast)[0].bytes);
    peer.socket.write(message.bytes);
    await peer.frame(TYPE.response, 2);
    expect(got).toEqual(['private hello', 'private multi', 'private hello']);
  });
});

function isSignedByUs(signature: Buffer, challenge: Buffer): boolean {
  const { x, y } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([
    Buffer.of(4),
    Buffer.from(x as string, 'base64url'),
    Buffer.from(y as string, 'base64url'),
  ]);
  return secp256k1.verify(signature.subarray(0, 64), keccak_256(challenge), point, { prehash: false });
}
