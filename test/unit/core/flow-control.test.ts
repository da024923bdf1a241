import { describe, expect, it } from 'vitest';
import { FlowControl, ORGANISATIONS_MAX, TOPICS_MAX } from '../../../src/core/flow-control.js';
import { mbitToBytesPerSecond } from '../../../src/core/token-bucket.js';

const RATE = mbitToBytesPerSecond(5);
const NODE = { nodeBytesPerSecond: RATE };
const MIB = 1024 * 1024;

describe('limits of session, organisation and topic', () => {
  it('is disabled without a limit and lets everything pass', () => {
    const flow = new FlowControl({ topics: [] });
    expect(flow.enabled).toBe(false);
    const source = flow.openSession('a');
    expect(flow.topic('t', 0)).toBeUndefined();
    for (let at = 0; at < 100; at++) {
      expect(flow.offer(source, undefined, MIB, 10, true, 0)).toBeUndefined();
      flow.chargePeer(source, MIB, 0);
      flow.chargeAnswer(source, undefined, MIB, MIB, 0);
      expect(flow.allowsPeer(source, 0)).toBe(true);
    }
    expect(flow.organisations).toBe(0);
    expect(flow.nodeBalance(0)).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    [{ nodeBytesPerSecond: 1 }],
    [{ sessionBytesPerSecond: 1 }],
    [{ organisationBytesPerSecond: 1 }],
    [{ topicBytesPerSecond: 1 }],
    [{ topics: [{ name: 't', bytesPerSecond: 1 }] }],
  ])('is enabled by %o alone', (limits) => {
    expect(new FlowControl(limits).enabled).toBe(true);
  });

  it('refuses by session, and leaves the other session of the organisation alone', () => {
    const flow = new FlowControl({ sessionBytesPerSecond: 1_000 });
    const first = flow.openSession('a');
    const second = flow.openSession('a');
    expect(flow.offer(first, undefined, 250, 1, false, 0)).toBeUndefined();
    expect(flow.offer(first, undefined, 1, 1, false, 0)).toBe('session');
    expect(flow.offer(second, undefined, 1, 1, false, 0)).toBeUndefined();
    expect(flow.offer(first, undefined, 1, 1, false, 1)).toBeUndefined();
  });

  it('refuses by organisation over all its sessions', () => {
    const flow = new FlowControl({ organisationBytesPerSecond: 1_000 });
    expect(flow.offer(flow.openSession('a'), undefined, 250, 1, false, 0)).toBeUndefined();
    expect(flow.offer(flow.openSession('a'), undefined, 1, 1, false, 0)).toBe('organisation');
    expect(flow.offer(flow.openSession('b'), undefined, 1, 1, false, 0)).toBeUndefined();
  });

  it('refuses by topic: a named one by its own limit, every other by the default, each for itself', () => {
    const flow = new FlowControl({ topicBytesPerSecond: 1_000, topics: [{ name: 'named', bytesPerSecond: 10_000 }] });
    const source = flow.openSession('a');
    const offer = (name: string, bytes: number) => flow.offer(source, flow.topic(name, 0), bytes, 1, false, 0);
    expect(offer('x', 250)).toBeUndefined();
    expect(offer('x', 1)).toBe('topic');
    expect(offer('y', 1)).toBeUndefined();
    expect(offer('named', 2_499)).toBeUndefined();
    expect(offer('named', 1)).toBeUndefined();
    expect(offer('named', 1)).toBe('topic');
    const named = new FlowControl({ topics: [{ name: 'named', bytesPerSecond: 10_000 }] });
    expect(named.topic('x', 0)).toBeUndefined();
  });

  it.each(['session', 'organisation', 'topic'] as const)('charges a multicast per copy to the %s', (scope) => {
    const flow = new FlowControl({ [`${scope}BytesPerSecond`]: 4_000 });
    const source = flow.openSession('a');
    const offer = (copies: number) => flow.offer(source, flow.topic('t', 0), 100, copies, false, 0);
    expect(offer(9)).toBeUndefined();
    expect(offer(1)).toBeUndefined();
    expect(offer(1)).toBe(scope);
  });

  it('charges a multicast to the node for each peer that gets a copy', () => {
    const flow = new FlowControl(NODE);
    const source = flow.openSession('a');
    expect(flow.offer(source, undefined, 10_000, 12, true, 0)).toBeUndefined();
    for (let peer = 0; peer < 10; peer++) flow.chargePeer(source, 10_016, 0);
    expect(flow.nodeBalance(0)).toBe(RATE / 4 - 100_160);
  });

  it('charges nothing when one scope refuses', () => {
    const flow = new FlowControl({ ...NODE, sessionBytesPerSecond: 1_000, organisationBytesPerSecond: 1_000 });
    const limited = flow.openSession('a');
    const busy = flow.openPeer('a');
    flow.chargePeer(busy, RATE, 0);
    for (let at = 0; at < 10; at++) expect(flow.offer(limited, undefined, 100_000, 1, true, 0)).toBe('node');
    expect(flow.offer(limited, undefined, 249, 1, false, 0)).toBeUndefined();
    expect(flow.offer(limited, undefined, 1, 1, false, 0)).toBeUndefined();
    expect(flow.offer(limited, undefined, 1, 1, false, 0)).toBe('session');
  });

  it('never asks or charges the node for what stays on this relay', () => {
    const flow = new FlowControl(NODE);
    const source = flow.openSession('a');
    flow.chargePeer(source, RATE, 0);
    const balance = flow.nodeBalance(0);
    expect(flow.offer(source, undefined, MIB, 5, false, 0)).toBeUndefined();
    flow.chargeAnswer(source, undefined, MIB, 0, 0);
    expect(flow.nodeBalance(0)).toBe(balance);
    expect(flow.allowsPeer(source, 0)).toBe(false);
  });

  it('charges answers to session, organisation, topic and node without refusing them', () => {
    const flow = new FlowControl({
      ...NODE,
      sessionBytesPerSecond: 1_000,
      organisationBytesPerSecond: 2_000,
      topicBytesPerSecond: 4_000,
    });
    const source = flow.openSession('a');
    flow.chargeAnswer(source, flow.topic('t', 0), 8_000, 8_016, 0);
    expect(flow.nodeBalance(0)).toBe(RATE / 4 - 8_016);
    expect(flow.offer(source, undefined, 1, 1, false, 7_749)).toBe('session');
    expect(flow.offer(flow.openSession('a'), undefined, 1, 1, false, 3_749)).toBe('organisation');
    expect(flow.offer(flow.openSession('b'), flow.topic('t', 0), 1, 1, false, 1_749)).toBe('topic');
    expect(flow.offer(source, flow.topic('t', 0), 1, 1, false, 7_751)).toBeUndefined();
  });

  it('charges header, retry and second hop as often as they are written', () => {
    const flow = new FlowControl(NODE);
    const source = flow.openSession('a');
    expect(flow.offer(source, undefined, 1_000, 1, true, 0)).toBeUndefined();
    flow.chargePeer(source, 1_016, 0);
    flow.chargePeer(source, 1_016, 0);
    flow.chargePeer(flow.openPeer('b'), 1_016, 0);
    expect(flow.nodeBalance(0)).toBe(RATE / 4 - 3 * 1_016);
  });
});

describe('bounds of what is remembered', () => {
  it('remembers no more organisations than its bound, and those in use keep their state', () => {
    const flow = new FlowControl({ ...NODE, organisationBytesPerSecond: 1_000 });
    const kept = flow.openSession('kept');
    expect(flow.offer(kept, undefined, 10_000, 1, true, 0)).toBeUndefined();
    for (let at = 0; at < ORGANISATIONS_MAX + 100; at++) {
      flow.offer(flow.openSession(`org${at}`), undefined, 1, 1, true, 0);
      if (at % 1_000 === 0) expect(flow.offer(kept, undefined, 1, 1, true, 0)).toBe('organisation');
    }
    expect(flow.organisations).toBe(ORGANISATIONS_MAX);
    expect(flow.offer(kept, undefined, 1, 1, true, 0)).toBe('organisation');
  });

  it('leads all sessions of an organisation to one bucket again after it was forgotten', () => {
    const flow = new FlowControl({ organisationBytesPerSecond: 1_000 });
    const old = flow.openSession('a');
    flow.offer(old, undefined, 10_000, 1, false, 0);
    for (let at = 0; at < ORGANISATIONS_MAX; at++) flow.offer(flow.openSession(`org${at}`), undefined, 1, 1, false, 0);
    expect(flow.offer(old, undefined, 250, 1, false, 0)).toBeUndefined();
    expect(flow.offer(flow.openSession('a'), undefined, 1, 1, false, 0)).toBe('organisation');
    expect(flow.organisations).toBe(ORGANISATIONS_MAX);
  });

  it('forgets idle organisations, but not one in debt', () => {
    const flow = new FlowControl({ ...NODE, organisationBytesPerSecond: 1_000 });
    for (let at = 0; at < 50; at++) flow.offer(flow.openSession(`org${at}`), undefined, 1, 1, true, 0);
    const debtor = flow.openSession('debtor');
    flow.offer(debtor, undefined, 1_000_000, 1, true, 0);
    const other = flow.openSession('other');
    for (let at = 0; at < 100; at++) flow.offer(other, undefined, 1, 1, true, 100_000 + at);
    expect(flow.organisations).toBe(2);
    expect(flow.offer(debtor, undefined, 1, 1, true, 200_000)).toBe('organisation');
  });

  it('remembers no more topics than its bound; a forgotten one that is kept outside is found again', () => {
    const flow = new FlowControl({ topicBytesPerSecond: 1_000, topics: [{ name: 'named', bytesPerSecond: 1_000 }] });
    const source = flow.openSession('a');
    flow.offer(source, flow.topic('named', 0), 10_000, 1, false, 0);
    const old = flow.topic('old', 0);
    for (let at = 0; at < TOPICS_MAX; at++) flow.offer(source, flow.topic(`t${at}`, 0), 1_000, 1, false, 0);
    expect(flow.topics).toBe(TOPICS_MAX + 1);
    expect(old?.forgotten).toBe(true);
    expect(flow.offer(source, flow.topic('named', 0), 1, 1, false, 0)).toBe('topic');
    // Both ways to the topic lead to one bucket.
    expect(flow.offer(source, old, 250, 1, false, 0)).toBeUndefined();
    expect(flow.offer(source, flow.topic('old', 0), 1, 1, false, 0)).toBe('topic');
    expect(flow.offer(source, old, 1, 1, false, 0)).toBe('topic');
    expect(flow.topics).toBe(TOPICS_MAX + 1);
  });
});
