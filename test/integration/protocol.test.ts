/** 0x12-0x16 and the rules R3-R8, R13 of the SDK notes: what unmodified 2.x SDKs need before they send a message. */
import { describe, expect, it } from 'vitest';
import { useRelay } from '../helpers/relay-process.js';
import { amopBody, encodeFrame, newSeq, TYPE } from '../helpers/wire.js';

describe('channel protocol', () => {
  const relay = useRelay();

  async function exchange(type: number, body: string | Uint8Array, protocol?: number) {
    const client = await relay().connect();
    if (protocol !== undefined) await client.handshake('raw', protocol);
    const seq = client.send(type, body);
    const frame = await client.waitFor((candidate) => candidate.seq === seq, `the answer to 0x${type.toString(16)}`);
    await client.close();
    return frame;
  }

  describe('0x14', () => {
    it.each([
      ['{"maximumSupport":3,"minimumSupport":1,"clientType":"java-sdk"}', 3],
      ['{"minimumSupport":1,"maximumSupport":3,"clientType":"Go-SDK"}', 3],
      ['{"maximumSupport":2,"minimumSupport":1,"clientType":"x"}', 2],
      ['{"maximumSupport":9,"minimumSupport":3,"clientType":"x"}', 3],
      ['{"maximumSupport":1}', 1],
      ['{}', 1],
    ])('%s negotiates protocol %i', async (body, protocol) => {
      const answer = await exchange(TYPE.handshake, body);
      expect([answer.type, answer.result]).toEqual([TYPE.handshake, 0]);
      expect(`${answer.body}`).toBe(`{"nodeVersion":"2.11.0","protocol":${protocol}}\n`);
    });

    it('closes a connection whose range has no version in common, without an answer', async () => {
      const before = (await relay().metrics()).value('amop_connections_closed_total', { reason: 'protocol-version' });
      const client = await relay().connect();
      client.send(TYPE.handshake, '{"maximumSupport":5,"minimumSupport":4,"clientType":"x"}');
      await client.waitForClose();
      expect(client.received).toEqual([]);
      await relay().waitForMetric('amop_connections_closed_total', { reason: 'protocol-version' }, before + 1);
    });

    for (const body of ['', '{nope', '[]', '"x"', '{"maximumSupport":"3"}', '['.repeat(50_000)]) {
      it(`does not answer ${JSON.stringify(body).slice(0, 40)} and keeps the connection`, async () => {
        const client = await relay().connect();
        client.send(TYPE.handshake, body);
        await client.barrier();
        expect(client.received).toEqual([]);
      });
    }

    it('may be repeated; the last one counts', async () => {
      const client = await relay().connect();
      await client.handshake('raw', 3);
      expect(JSON.parse(`${(await client.handshake('raw', 1)).body}`).protocol).toBe(1);
      const seq = client.send(TYPE.heartbeat, '0');
      expect(`${(await client.waitFor((frame) => frame.seq === seq, 'the answer')).body}`).toBe('1');
    });
  });

  describe('0x13', () => {
    it('answers 1 to 0 on a session that never sent 0x14', async () => {
      expect(`${(await exchange(TYPE.heartbeat, '0')).body}`).toBe('1');
    });

    for (const body of ['', '1', '00', '{"heartBeat":0}']) {
      it(`answers nothing to ${JSON.stringify(body)} on protocol 1`, async () => {
        const client = await relay().connect();
        client.send(TYPE.heartbeat, body);
        await client.barrier();
        expect(client.received).toEqual([]);
      });
    }

    for (const protocol of [2, 3]) {
      it.each(['{"heartBeat":0}', '', '0', 'anything'])(
        `answers {"heartBeat":1} to %j on protocol ${protocol}`,
        async (body) => {
          const answer = await exchange(TYPE.heartbeat, body, protocol);
          expect([answer.type, answer.result, `${answer.body}`]).toEqual([TYPE.heartbeat, 0, '{"heartBeat":1}\n']);
        },
      );
    }
  });

  describe('0x12', () => {
    const call = (text: string) => exchange(TYPE.rpc, text);

    it('says a version that every SDK accepts', async () => {
      const answer = JSON.parse(
        `${(await call('{"jsonrpc":"2.0","method":"getClientVersion","params":[],"id":1}')).body}`,
      );
      expect(Object.keys(answer)).toEqual(['id', 'jsonrpc', 'result']);
      expect(answer.result['Supported Version']).toBe('2.11.0');
      expect(answer.result['FISCO-BCOS Version']).toBe('2.11.0');
      expect(answer.result['Chain Id']).toBe('1');
      for (const value of Object.values(answer.result)) expect(typeof value).toBe('string');
    });

    it('does not need params, as Go leaves them out', async () => {
      const answer = JSON.parse(`${(await call('{"jsonrpc":"2.0","method":"getClientVersion","id":1}')).body}`);
      expect(answer.result['Supported Version']).toBe('2.11.0');
    });

    it.each([
      ['getGroupList', [1]],
      ['getBlockNumber', '0x0'],
    ])('%s answers a constant of a ledger without blocks', async (method, result) => {
      const answer = await call(`{"id":7,"jsonrpc":"2.0","method":"${method}","params":[1]}`);
      expect([answer.type, answer.result]).toEqual([TYPE.rpc, 0]);
      expect(`${answer.body}`).toBe(`{"id":7,"jsonrpc":"2.0","result":${JSON.stringify(result)}}\n`);
    });

    it.each(['getNodeIDList', 'getGroupPeers', 'getSealerList', 'getObserverList'])(
      '%s is a list of IDs',
      async (method) => {
        const { result } = JSON.parse(
          `${(await call(`{"id":1,"jsonrpc":"2.0","method":"${method}","params":[1]}`)).body}`,
        );
        expect(result).toBeInstanceOf(Array);
        for (const id of result) expect(id).toMatch(/^[0-9a-f]{128}$/);
      },
    );

    it('getPeers is a list whose entries all have Topic, getNodeInfo one such entry', async () => {
      const client = await relay().connect();
      const peers = (await client.rpc('getPeers', [1])).result as { Topic: unknown }[];
      const self = (await client.rpc('getNodeInfo')).result as { Topic: unknown };
      for (const entry of [...peers, self]) expect(entry.Topic).toBeInstanceOf(Array);
    });

    it.each([
      ['sendRawTransaction', -32601],
      ['toString', -32601],
      ['__proto__', -32601],
      ['amop_topics', -32601],
    ])('refuses %s with a JSON-RPC error and channel result 0', async (method, code) => {
      const answer = await call(`{"id":1,"jsonrpc":"2.0","method":"${method}","params":[]}`);
      expect(answer.result).toBe(0);
      const { error, result } = JSON.parse(`${answer.body}`);
      expect(error.code).toBe(code);
      expect(result).toBeUndefined();
    });

    it.each(['', '{nope', 'null', '5', '[]', '{}', '{"method":5,"id":1}', `${'['.repeat(50_000)}`])(
      'answers an error to a body that is no request (%#) and lives on',
      async (body) => {
        const answer = await call(body);
        expect([answer.type, answer.result]).toEqual([TYPE.rpc, 0]);
        expect(JSON.parse(`${answer.body}`).error.code).toBeLessThan(0);
      },
    );

    it('echoes the id of the request', async () => {
      const answer = JSON.parse(
        `${(await call('{"jsonrpc":"2.0","method":"getBlockNumber","params":[1],"id":123456}')).body}`,
      );
      expect(answer.id).toBe(123_456);
    });

    it('answers every one of 200 requests sent at once', async () => {
      const client = await relay().connect();
      const seqs = Array.from({ length: 200 }, (_, id) =>
        client.send(TYPE.rpc, `{"jsonrpc":"2.0","method":"getBlockNumber","params":[1],"id":${id}}`),
      );
      await client.waitFor(() => client.framesOf(TYPE.rpc).length === 200, '200 answers');
      const byseq = new Map(client.framesOf(TYPE.rpc).map((frame) => [frame.seq, JSON.parse(`${frame.body}`).id]));
      expect(seqs.map((seq) => byseq.get(seq))).toEqual(seqs.map((_, id) => id));
    });
  });

  describe('0x15 and 0x16', () => {
    for (const type of [TYPE.eventRegister, TYPE.eventUnregister]) {
      it.each([
        ['an empty body', Buffer.alloc(0)],
        ['a filter', amopBody('', '{"groupID":"1","filterID":"f","addresses":[],"topics":[]}')],
        ['a topic byte of 0', Buffer.from([0])],
        ['garbage', Buffer.from('ff00ff', 'hex')],
      ])(`0x${type.toString(16)} with %s is refused as of an unknown group`, async (_, body) => {
        const answer = await exchange(type, body);
        expect([answer.type, answer.result]).toEqual([type, 0]);
        expect(answer.body[0]).toBe(1);
        expect(JSON.parse(answer.body.toString('utf8', 1))).toEqual({ result: -41002 });
      });
    }
  });

  it('answers nothing to 0x32, 0x37, 0x38, and to types it does not know, which it counts', async () => {
    const before = (await relay().metrics()).value('amop_input_refused_total', { reason: 'unknown-type' });
    const client = await relay().connect();
    client.send(TYPE.subscribe, '["quiet"]');
    client.send(TYPE.requestTopicCert, '');
    client.send(TYPE.updateTopicStatus, '{"checkResult":0,"nodeId":"","topic":"quiet"}');
    for (const type of [0, 0x7f, 0x1000, 0x1001, 0x1002, 0xffff]) client.send(type, 'x');
    await client.barrier();
    expect(client.received).toEqual([]);
    await relay().waitForMetric('amop_input_refused_total', { reason: 'unknown-type' }, before + 6);
  });

  it('takes frames in any pieces: byte by byte and many in one record', async () => {
    const subscriber = await relay().subscriber(['pieces']);
    subscriber.answerWithEcho();
    const client = await relay().connect();
    const one = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('pieces', 'bytewise'));
    for (const byte of one) client.sendBytes(Buffer.from([byte]));
    expect((await client.next('the answer')).result).toBe(0);
    const many = Array.from({ length: 50 }, () => encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('pieces', 'joined')));
    client.sendBytes(Buffer.concat(many));
    await client.waitFor(() => client.framesOf(TYPE.response).length === 51, '51 answers');
  });

  it('answers with the same 32 bytes of sequence whatever they are', async () => {
    const client = await relay().connect();
    const seq = Buffer.from(Array.from({ length: 32 }, (_, n) => (n * 37) % 256)).toString('latin1');
    client.send(TYPE.heartbeat, '0', seq);
    expect((await client.next('the answer')).seq).toBe(seq);
    client.unicast('nobody', '', seq);
    expect((await client.next('the answer')).seq).toBe(seq);
  });
});
