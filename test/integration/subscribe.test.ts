import { describe, expect, it } from 'vitest';
import { useRelay } from '../helpers/relay-process.js';
import { TYPE } from '../helpers/wire.js';

describe('subscriptions', () => {
  const relay = useRelay();

  /** The codes that unicasts on these topics get. */
  async function codes(...topics: string[]): Promise<number[]> {
    const sender = await relay().connect();
    const answers = await Promise.all(topics.map((topic) => sender.request(topic)));
    await sender.close();
    return answers.map(({ result }) => result);
  }

  async function echo(...topics: string[]) {
    const client = await relay().subscriber(topics);
    client.answerWithEcho();
    return client;
  }

  it('replaces the whole topic set with each 0x32, without an answer', async () => {
    const client = await echo('set-a', 'set-b');
    expect(await codes('set-a', 'set-b', 'set-c')).toEqual([0, 0, 100]);
    await client.subscribe('set-b', 'set-c');
    expect(await codes('set-a', 'set-b', 'set-c')).toEqual([100, 0, 0]);
    expect(client.framesOf(TYPE.subscribe)).toEqual([]);
  });

  for (const body of ['[]', 'null']) {
    it(`unsubscribes from everything with ${body}`, async () => {
      const client = await echo('all-gone');
      client.send(TYPE.subscribe, body);
      await client.barrier();
      expect(await codes('all-gone')).toEqual([100]);
    });
  }

  it('takes escapes and UTF-8 in topics as the same characters', async () => {
    const client = await echo();
    client.send(TYPE.subscribe, '["\\u4e3b\\u9898B"]');
    await client.barrier();
    expect(await codes('主题B')).toEqual([0]);
  });

  it('takes numbers and booleans in the list as text', async () => {
    const client = await echo();
    client.send(TYPE.subscribe, '["text", 5, true]');
    await client.barrier();
    expect(await codes('text', '5', 'true')).toEqual([0, 0, 0]);
  });

  for (const [what, body] of [
    ['an empty body', ''],
    ['text that is no JSON', '["kept"'],
    ['an object', '{"topics":["new"]}'],
    ['a list that holds a list', '["new",["deep"]]'],
    ['a list that holds an object', '["new",{}]'],
    ['JSON that is 100,000 levels deep', '['.repeat(100_000) + ']'.repeat(100_000)],
  ] as const) {
    it(`keeps the old set when 0x32 is ${what}, counts and logs it`, async () => {
      const before = (await relay().metrics()).value('amop_input_refused_total', { reason: 'topic-list' });
      const logged = relay().logs.length;
      const client = await echo('kept');
      client.send(TYPE.subscribe, body);
      await client.barrier();
      expect(await codes('kept', 'new')).toEqual([0, 100]);
      await relay().waitForMetric('amop_input_refused_total', { reason: 'topic-list' }, before + 1);
      await relay().waitForLog(
        (line) => relay().logs.indexOf(line) >= logged && /topic/.test(line.msg) && line.session !== undefined,
        'a line about the refused list',
      );
    });
  }

  it('keeps the old set when the list has 100,000 topics', async () => {
    const client = await echo('kept-still');
    const before = (await relay().metrics()).value('amop_input_refused_total', { reason: 'topic-list' });
    client.send(TYPE.subscribe, JSON.stringify(Array.from({ length: 100_000 }, (_, n) => `many-${n}`)));
    await client.barrier();
    expect(await codes('kept-still', 'many-0', 'many-99999')).toEqual([0, 100, 100]);
    await relay().waitForMetric('amop_input_refused_total', { reason: 'topic-list' }, before + 1);
  });

  it('takes 4,096 topics and refuses 4,097', async () => {
    const topics = Array.from({ length: 4_096 }, (_, n) => `limit-${n}`);
    const client = await echo(...topics);
    expect(await codes('limit-0', 'limit-4095')).toEqual([0, 0]);
    await client.subscribe(...topics.map((topic) => `over-${topic}`), 'one-more');
    expect(await codes('limit-0', 'over-limit-0')).toEqual([0, 100]);
  });

  it('leaves out single bad topics and applies the others', async () => {
    const before = (await relay().metrics()).value('amop_input_refused_total', { reason: 'topic' });
    await echo('good', 'tab\tinside', 'new\nline', 'nul\0', 'x'.repeat(255), 'also good');
    expect(await codes('good', 'also good')).toEqual([0, 0]);
    const sender = await relay().connect();
    expect((await sender.request('tab\tinside')).result).toBe(100);
    await relay().waitForMetric('amop_input_refused_total', { reason: 'topic' }, before + 4);
  });

  it('keeps _block_notify_ and #!$ names in the set without complaint', async () => {
    const before = (await relay().metrics()).value('amop_input_refused_total', { reason: 'topic' });
    await echo('beside', '_block_notify_1', '#!$PushChannel_#!$TopicNeedVerify_p', '#!$TopicNeedVerify_p');
    expect(await codes('beside')).toEqual([0]);
    expect((await relay().metrics()).value('amop_input_refused_total', { reason: 'topic' })).toBe(before);
  });

  it('applies a list before the frames that follow it on the connection', async () => {
    const subscriber = await echo('pipelined');
    const sender = await relay().connect();
    subscriber.send(TYPE.subscribe, '["pipelined-2"]');
    await subscriber.barrier();
    expect((await sender.request('pipelined-2')).result).toBe(0);
    expect((await sender.request('pipelined')).result).toBe(100);
  });

  it('forgets the topics of a session that ended', async () => {
    const client = await echo('leaver');
    expect(await codes('leaver')).toEqual([0]);
    await client.close();
    const sender = await relay().connect();
    expect((await sender.request('leaver')).result).toBe(100);
  });

  it('shows local public topics in getPeers, so that Java publishers need not wait, and no private one', async () => {
    await relay().subscriber(['visible', '#!$TopicNeedVerify_hidden', '#!$PushChannel_#!$TopicNeedVerify_hidden']);
    const { result } = await (await relay().connect()).rpc('getPeers', [1]);
    const topics = (result as { Topic: string[] }[]).flatMap((peer) => peer.Topic);
    expect(topics).toContain('visible');
    expect(topics.filter((topic) => topic.startsWith('#!$'))).toEqual([]);
  });
});
