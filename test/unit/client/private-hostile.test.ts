/** Private topics of the client on a relay that a test plays: what it is told, and what it cannot make the client do. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSecp256k1 } from '../../../src/addon/secp256k1.js';
import { AmopError, connect } from '../../../src/client/index.js';
import { privateKeyBytes } from '../../../src/client/private-keys.js';
import { ClientWorld } from '../../helpers/client-world.js';
import { until } from '../../helpers/deadline.js';
import { challengeTopic, messageTopic, pushTopic } from '../../helpers/private.js';
import type { Peer, Script } from '../../helpers/scripted-relay.js';
import { amopBody, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';

const world = new ClientWorld({ connect, AmopError });
const secp256k1 = await createSecp256k1();
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const NODE = 'a1'.repeat(64);

const topicsOf = async (peer: Peer, n = 0): Promise<string[]> =>
  JSON.parse(`${(await peer.frame(TYPE.subscribe, n)).body}`);
const ask = (peer: Peer, name: string, over: object = {}): string => {
  const seq = newSeq();
  const body = { nodeId: NODE, topic: messageTopic(name), topicForCert: challengeTopic(name), ...over };
  peer.send(TYPE.requestTopicCert, seq, 0, JSON.stringify(body));
  return seq;
};
const sign = (challenge: Uint8Array) => secp256k1.sign(secp256k1.keccak256(challenge), privateKeyBytes(privateKey));
/** A receiver that answers every challenge with this; undefined is silence. */
const answering = (payload: string | undefined): Script => ({
  onFrame: (frame, peer) => {
    if (frame.type !== TYPE.unicast) return false;
    if (payload !== undefined)
      peer.send(TYPE.response, frame.seq, 0, amopBody(parseAmopBody(frame.body).topic, payload));
    return true;
  },
});

describe('a private subscription', () => {
  it('announces topic and challenge topic in one list, and takes both back', async () => {
    const { client, peer } = await world.open();
    await client.subscribePrivate('t', privateKey, () => {});
    const [message, challenge, ...more] = await topicsOf(peer);
    expect([message, more]).toEqual([messageTopic('t'), []]);
    expect(challenge).toMatch(/^#!\$VerifyChannel_#!\$TopicNeedVerify_t_[0-9a-f]{32}$/);
    await expect(client.subscribePrivate('t', privateKey, () => {})).rejects.toThrow('private topic "t" is subscribed');
    await client.unsubscribePrivate('t');
    expect(await topicsOf(peer, 1)).toEqual([]);
  });

  it('signs a challenge and nothing else that a relay sends', async () => {
    const { client, peer } = await world.open();
    const seen: string[] = [];
    await client.subscribePrivate('t', privateKey, (message) => void seen.push(message.text()));
    const [, topic] = await topicsOf(peer);
    const offered: [string, Buffer][] = [
      ['transaction', Buffer.from(`e5${'80'.repeat(37)}`, 'hex')],
      ['small transaction', Buffer.from('ca80808080808080808080', 'hex')],
      ['digest', Buffer.alloc(32, 0xaa)],
      ['text', Buffer.from('I owe you everything, signed by me')],
    ];
    const results = new Map<string, { result: number; payload: Buffer }>();
    const exchange = async (name: string, payload: Buffer) => {
      const seq = newSeq();
      peer.send(TYPE.unicast, seq, 0, amopBody(topic, payload));
      const frame = await until(() => peer.of(TYPE.response).find((one) => one.seq === seq), `an answer to ${name}`);
      results.set(name, { result: frame.result, payload: parseAmopBody(frame.body).payload });
    };
    for (const [name, payload] of offered) await exchange(name, payload);
    for (const [name] of offered) {
      expect(results.get(name)).toEqual({ result: 1, payload: Buffer.from('{"reason":"not-a-challenge"}') });
    }
    const challenge = Buffer.from('5e14c53197adbcb719d915fb93342c25');
    peer.send(TYPE.multicast, newSeq(), 0, amopBody(topic, challenge));
    await exchange('challenge', challenge);
    expect(results.get('challenge')).toEqual({ result: 0, payload: Buffer.from(sign(challenge)) });
    expect(peer.of(TYPE.response)).toHaveLength(offered.length + 1);
    expect(seen).toEqual([]);
  });

  it('refuses a challenge on a challenge topic of somebody else by not answering', async () => {
    const { client, peer } = await world.open();
    await client.subscribePrivate('t', privateKey, () => {});
    peer.send(TYPE.unicast, newSeq(), 0, amopBody(challengeTopic('t'), 'ab'.repeat(16)));
    await until(() => client.counters.unhandledMessages === 1, 'the message to be counted');
    expect(peer.of(TYPE.response)).toEqual([]);
  });
});

describe('a private sender', () => {
  const certify = async (script: Script) => {
    const { client, peer } = await world.open(script);
    const sender = await client.publishPrivate('t', [publicKey]);
    return { client, peer, sender };
  };
  const signing: Script = {
    onFrame: (frame, peer) => {
      if (frame.type !== TYPE.unicast) return false;
      const { topic, payload } = parseAmopBody(frame.body);
      peer.send(TYPE.response, frame.seq, 0, amopBody(topic, topic.startsWith('#!$V') ? sign(payload) : payload));
      return true;
    },
  };

  it('announces its push topic, acknowledges 0x37, challenges, and reports 0x38 with the node ID it was given', async () => {
    const { peer, sender, client } = await certify(signing);
    expect(await topicsOf(peer)).toEqual([pushTopic('t')]);
    expect(client.subscriptions).toEqual([]);
    const topicForCert = challengeTopic('t');
    const seq = ask(peer, 't', { topicForCert });
    await sender.ready();
    const acknowledgement = await peer.frame(TYPE.requestTopicCert);
    expect([acknowledgement.seq, acknowledgement.body.length]).toEqual([seq, 0]);
    const challenge = parseAmopBody((await peer.frame(TYPE.unicast)).body);
    expect(challenge.topic).toBe(topicForCert);
    expect(`${challenge.payload}`).toMatch(/^[0-9a-f]{32}$/);
    const result = JSON.parse(`${(await peer.frame(TYPE.updateTopicStatus)).body}`);
    expect(result).toEqual({ checkResult: 0, nodeId: NODE, topic: messageTopic('t') });
    expect((await sender.request('x')).text()).toBe('x');
    expect(sender.status()).toMatchObject([{ nodeId: NODE, state: 'certified' }]);
  });

  it('reports a failure for an answer that is no signature', async () => {
    const { peer, sender } = await certify(answering(''));
    ask(peer, 't');
    const result = JSON.parse(`${(await peer.frame(TYPE.updateTopicStatus)).body}`);
    expect(result).toEqual({ checkResult: 1, nodeId: NODE, topic: messageTopic('t') });
    expect(sender.status()).toMatchObject([{ state: 'failed', failure: 'wrong-signature' }]);
  });

  it('reports nothing when the challenge fails, and tries again when it is asked again', async () => {
    let failing = true;
    const { peer, sender } = await certify({
      onFrame: (frame, from) => {
        if (!failing || frame.type !== TYPE.unicast) return signing.onFrame?.(frame, from) ?? false;
        from.send(TYPE.response, frame.seq, 101, Buffer.alloc(0));
        return true;
      },
    });
    ask(peer, 't');
    await until(() => sender.status()[0]?.state === 'failed', 'the failure');
    expect(sender.status()).toMatchObject([{ failure: 'unreachable', error: { code: 101 } }]);
    expect(peer.of(TYPE.updateTopicStatus)).toEqual([]);
    failing = false;
    ask(peer, 't');
    await sender.ready();
    expect(JSON.parse(`${(await peer.frame(TYPE.updateTopicStatus)).body}`)).toMatchObject({ checkResult: 0 });
  });

  it('challenges a receiver once at a time, however often it is asked', async () => {
    const { peer, sender } = await certify(answering(undefined));
    for (let n = 0; n < 10; n++) ask(peer, 't');
    await until(() => peer.of(TYPE.requestTopicCert).length === 10, 'ten acknowledgements');
    expect(peer.of(TYPE.unicast)).toHaveLength(1);
    expect(sender.status()).toMatchObject([{ state: 'pending' }]);
  });

  it('ignores questions about topics it does not send on and questions that are none', async () => {
    const { peer, client, sender } = await certify(signing);
    ask(peer, 'other');
    ask(peer, 't', { topicForCert: challengeTopic('tt') });
    ask(peer, 't', { nodeId: 'me' });
    peer.send(TYPE.requestTopicCert, newSeq(), 0, 'no JSON');
    await until(() => client.counters.unhandledCertifications === 4, 'four to be counted');
    expect([peer.of(TYPE.requestTopicCert), peer.of(TYPE.unicast), sender.status()]).toEqual([[], [], []]);
    await sender.close();
    ask(peer, 't');
    await until(() => client.counters.unhandledCertifications === 5, 'the fifth to be counted');
  });
});
