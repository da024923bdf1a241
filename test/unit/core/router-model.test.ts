/** The router against an oracle: sessions and peers come, go, answer, are full, slow or limited, and lists come late. */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { PeerAnswer } from '../../../src/core/router.js';
import { Oracle, PEERS, SESSIONS, type Step } from './router-oracle.js';

const who = fc.nat(SESSIONS - 1);
const peer = fc.nat(PEERS - 1);
const anybody = fc.nat(SESSIONS + PEERS - 1);
const seq = fc.nat(3);
/** The last one is a topic to which nobody subscribes. */
const topic = fc.nat(2);
/** Bits of the other two. */
const topics = fc.nat(3);
const on = fc.boolean();
const ms = fc.constantFrom(1, 1_000, 2_500, 5_000);
const kind = <Kind extends Step['kind']>(name: Kind) => fc.constant(name);

const ofSessions: fc.WeightedArbitrary<Step>[] = [
  { weight: 8, arbitrary: fc.record({ kind: kind('ask'), who, seq, topic }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('respond'), pick: fc.nat(), result: fc.nat(105) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('respondStranger'), who, seq }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('subscribe'), who, topics }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('leave'), who }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('full'), who, on }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('slow'), who, on }) },
  { weight: 5, arbitrary: fc.record({ kind: kind('pass'), ms }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('drain') }) },
];

const answers = fc.oneof(
  fc.record({ answer: fc.constantFrom(PeerAnswer.final, PeerAnswer.legacy), result: fc.constantFrom(0, 7, 101, 104) }),
  fc.record({ answer: fc.constant(PeerAnswer.relay), result: fc.constantFrom(100, 101, 102, 103, 0) }),
);

const ofPeers: fc.WeightedArbitrary<Step>[] = [
  { weight: 3, arbitrary: fc.record({ kind: kind('askOver'), peer, seq, topic }) },
  { weight: 8, arbitrary: fc.tuple(fc.nat(), answers).map(([pick, of]) => ({ kind: 'peerRespond', pick, ...of })) },
  { weight: 4, arbitrary: fc.record({ kind: kind('route'), peer, topics, weight: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('leavePeer'), peer }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('migrate'), peer }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('full'), who: anybody, on }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('slow'), who: anybody, on }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('limited'), on }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('hasPeers'), on }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('pulled') }) },
];

function holds(steps: fc.Arbitrary<Step>): void {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 1, maxLength: 80, size: 'max' }), (what) => {
      const oracle = new Oracle();
      for (const step of what) oracle.run(step);
      oracle.end();
    }),
    { numRuns: 150 },
  );
}

describe('a router', () => {
  it('answers every request exactly once, with the code and the reason of the oracle, and leaks nothing', () => {
    holds(fc.oneof(...ofSessions));
  });

  it('does the same with peers', () => {
    holds(fc.oneof(...ofSessions, ...ofPeers));
  }, 60_000);
});
