/** What the client signs, whom it believes, and which keys it takes. */
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSecp256k1 } from '../../../src/addon/secp256k1.js';
import { SignatureVerifier } from '../../../src/addon/signature-verifier.js';
import { RelayError } from '../../../src/base/errors.js';
import { AmopError } from '../../../src/client/amop-error.js';
import { SIGNATURES_PER_SECOND_MAX } from '../../../src/client/bounds.js';
import { ChallengeSigner } from '../../../src/client/challenge-signer.js';
import { judgeSignature } from '../../../src/client/challenge-verdict.js';
import { AbortHub, Deadline } from '../../../src/client/deadline.js';
import { Message } from '../../../src/client/message.js';
import { privateKeyBytes, publicKeyBytes } from '../../../src/client/private-keys.js';
import { checkPrivateName, newChallengeTopic } from '../../../src/client/private-names.js';
import { failureOf, PrivateReceivers } from '../../../src/client/private-receivers.js';

// Test vectors of the specification: key of the Java demonstration.
const PRIVATE_HEX = 'c0c8b4d96aa4aefaeeafa157789d528b6010f65059dee796d8757e1171bbcd2c';
const PUBLIC_HEX =
  'd7b9e00f56d3f79305359fa2d7db166021e73086bdcd2e7a28d6ed27345e1f2ddecf85db7438e8457fd474ef9c4ceb89abb7d5fa60a22f2902ec26dca52ad5e5';
const N = '#!$TopicNeedVerify_PrivateTopic';
const V = `#!$VerifyChannel_${N}_0123456789abcdef0123456789abcdef`;
const JAVA_CHALLENGE = Buffer.from('5e14c53197adbcb719d915fb93342c25');
const JAVA_SIGNATURE =
  '2f7c3f9ce5ecb10046fecb50df6e97846169f9bd5ed257f3c9fd9765ca0e430d75d5090b8948122938748f1b995021818a1e824e2304963ab0c72d8228c77abb00';
const JAVA_HIGH_S =
  '2f7c3f9ce5ecb10046fecb50df6e97846169f9bd5ed257f3c9fd9765ca0e430d8a2af6f476b7edd6c78b70e466afde7d30905a988c440a010f0b310aa76ec68601';
const GO_CHALLENGE = Buffer.from('02b1946f2e1f4cf3a0c9d1e2f3a4b5c6d7', 'hex');
const GO_SIGNATURE =
  '0b145cc1ccfd01ea5b13b101fc3bc4fea2a4213669820760ba8144c26b82405a65287dbd23d9ac8a45b033aab96652e19e3735c42d869ee363a5fb6646b4745001';
const WEB3_BLOCK = (json: string) =>
  Buffer.concat([Buffer.from([1 + V.length]), Buffer.from(V), Buffer.from([0, json.length]), Buffer.from(json)]);

const secp256k1 = await createSecp256k1();
const privateKey = Buffer.from(PRIVATE_HEX, 'hex');
const newSigner = (now?: () => number) =>
  new ChallengeSigner({ secp256k1, privateKey, challengeTopic: V, messageTopic: N }, now);
const hub = new AbortHub();

describe('a receiver of a private topic', () => {
  it.each([
    ['Java', JAVA_CHALLENGE, JAVA_SIGNATURE],
    ['Go', GO_CHALLENGE, GO_SIGNATURE],
  ])('signs a challenge of %s as that SDK does', (_, challenge, signature) => {
    expect(newSigner().decide(challenge)).toEqual({ ok: true, signature: Buffer.from(signature, 'hex') });
  });

  it.each([
    ['a transaction of 38 bytes', `e5${'80'.repeat(37)}`],
    ['the smallest transaction', 'ca80808080808080808080'],
    ['a typed transaction', '02c9808080808080808080'],
    ['a Keccak digest', 'aa'.repeat(32)],
    ['32 hex digits in upper case', Buffer.from('5E14C53197ADBCB719D915FB93342C25').toString('hex')],
    ['33 hex digits', Buffer.from('5e14c53197adbcb719d915fb93342c250').toString('hex')],
    ['18 bytes', '00'.repeat(18)],
  ])('does not sign %s', (_, hex) => {
    expect(newSigner().decide(Buffer.from(hex, 'hex'))).toEqual({ ok: false, refusal: 'not-a-challenge' });
  });

  it('does not sign for web3sdk, and tells a block about another topic from one of its own', () => {
    const block = (topic: string) => WEB3_BLOCK(JSON.stringify({ randValue: 'ab'.repeat(16), topic }));
    expect(newSigner().decide(block(N))).toEqual({ ok: false, refusal: 'web3sdk-challenge' });
    expect(newSigner().decide(block(`${N}2`))).toEqual({ ok: false, refusal: 'not-a-challenge' });
  });

  it('signs so many challenges a second and no more', () => {
    let nowMs = 5_000;
    const signer = newSigner(() => nowMs);
    for (let n = 0; n < SIGNATURES_PER_SECOND_MAX; n++) expect(signer.decide(JAVA_CHALLENGE).ok).toBe(true);
    expect(signer.decide(JAVA_CHALLENGE)).toEqual({ ok: false, refusal: 'too-many-challenges' });
    nowMs += 1_000;
    expect(signer.decide(JAVA_CHALLENGE).ok).toBe(true);
  });

  it('answers a unicast with the signature or an error, and a multicast not at all', () => {
    const answers: { result: number; payload: string }[] = [];
    const answer = ({ result, payload }: { result: number; payload: Buffer }) => {
      answers.push({ result, payload: result === 0 ? payload.toString('hex') : `${payload}` });
      return true;
    };
    const signer = newSigner();
    for (const payload of [JAVA_CHALLENGE, Buffer.from('pay everything to me')]) {
      signer.deliver(new Message(V, payload, 'a'.repeat(32), { relay: 'r', answer }));
      signer.deliver(new Message(V, payload, 'a'.repeat(32), { relay: 'r', answer: undefined }));
    }
    expect(answers).toEqual([
      { result: 0, payload: JAVA_SIGNATURE },
      { result: 1, payload: '{"reason":"not-a-challenge"}' },
    ]);
  });
});

describe('a sender on a private topic', () => {
  const verifier = new SignatureVerifier(secp256k1, { timeoutMs: 5_000 });
  const other = publicKeyBytes([generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey])[0];
  const own = Buffer.from(PUBLIC_HEX, 'hex');
  const judge = (challenge: Buffer, signature: string | Uint8Array, keys = [other, own]) =>
    judgeSignature(
      { secp256k1, verifier },
      challenge,
      typeof signature === 'string' ? Buffer.from(signature, 'hex') : signature,
      keys,
    );

  it.each([
    ['of Java', JAVA_CHALLENGE, JAVA_SIGNATURE],
    ['of Go', GO_CHALLENGE, GO_SIGNATURE],
    ['with a high s, as Java does', JAVA_CHALLENGE, JAVA_HIGH_S],
    ['with a wrong v, as Go does', JAVA_CHALLENGE, `${JAVA_SIGNATURE.slice(0, -2)}01`],
  ])('believes a signature %s', async (_, challenge, signature) => {
    expect(await judge(challenge, signature)).toEqual({ kind: 'genuine', publicKey: own });
  });

  it.each([
    ['an empty answer', JAVA_CHALLENGE, ''],
    ['a signature that is cut', JAVA_CHALLENGE, JAVA_SIGNATURE.slice(0, -2)],
    ['one of another challenge', GO_CHALLENGE, JAVA_SIGNATURE],
    ['one with a high s and a wrong v', JAVA_CHALLENGE, `${JAVA_HIGH_S.slice(0, -2)}00`],
    ['zeros', JAVA_CHALLENGE, '00'.repeat(65)],
  ])('does not believe %s', async (_, challenge, signature) => {
    expect(await judge(challenge, signature)).toEqual({ kind: 'wrong-signature' });
  });

  it('does not believe a signature by a key that is not listed', async () => {
    expect(await judge(JAVA_CHALLENGE, JAVA_SIGNATURE, [other])).toEqual({ kind: 'wrong-signature' });
  });

  it.each(['timed-out', 'overloaded'] as const)('judges nothing when the check is %s', async (failure) => {
    const swamped = { verify: async () => failure, recover: async () => failure };
    const signature = Buffer.from(JAVA_SIGNATURE, 'hex');
    const verdict = judgeSignature({ secp256k1, verifier: swamped }, JAVA_CHALLENGE, signature, [own]);
    expect(await verdict).toEqual({ kind: 'unchecked' });
  });
});

describe('what a sender knows of receivers', () => {
  const nodeId = (n: number) => n.toString(16).padStart(128, '0');

  it('is bounded, and forgets the one that nothing was heard of for longest', () => {
    const receivers = new PrivateReceivers(2);
    for (const n of [1, 2]) receivers.asked('r', nodeId(n));
    receivers.set('r', nodeId(1), { state: 'certified' });
    receivers.asked('r', nodeId(3));
    expect(receivers.list().map((one) => one.nodeId)).toEqual([nodeId(1), nodeId(3)]);
  });

  it('stays certified while the certification is renewed, and keeps since when', () => {
    const receivers = new PrivateReceivers();
    receivers.set('r', nodeId(1), { state: 'certified', publicKey: 'k' });
    const [{ since }] = receivers.list();
    receivers.asked('r', nodeId(1));
    receivers.set('r', nodeId(1), { state: 'certified', publicKey: 'k' });
    expect(receivers.list()).toMatchObject([{ state: 'certified', since, publicKey: 'k' }]);
  });

  it('keeps why a receiver failed while it is asked again, and says so to whoever waits', async () => {
    const receivers = new PrivateReceivers();
    const missing = () =>
      receivers.certified(new Deadline(1, undefined, hub)).catch(({ detail }) => detail.split('; ')[1]);
    expect(await missing()).toMatch(/^nobody subscribes/);
    receivers.asked('r', nodeId(1));
    receivers.asked('r', nodeId(2));
    expect(await missing()).toBe('2 pending');
    receivers.set('r', nodeId(1), { state: 'failed', failure: 'wrong-signature' });
    expect(await missing()).toBe('1 pending, 1 failed: wrong-signature');
    receivers.asked('r', nodeId(1));
    expect(receivers.list().at(-1)).toMatchObject({ state: 'pending', failure: 'wrong-signature' });
    expect(await missing()).toBe('1 pending, 1 pending again after wrong-signature');
    receivers.set('r', nodeId(1), { state: 'certified' });
    expect(receivers.list().at(-1)).toMatchObject({ state: 'certified', failure: undefined });
  });

  it('ends with the connection over which it was certified', () => {
    const receivers = new PrivateReceivers();
    for (const relay of ['a', 'b']) receivers.set(relay, nodeId(1), { state: 'certified' });
    receivers.forgetRelay('a');
    expect([receivers.hasCertified('a'), receivers.hasCertified('b')]).toEqual([false, true]);
  });

  it('lets a wait end by a certification, the signal and the end', async () => {
    const receivers = new PrivateReceivers();
    const first = receivers.certified(new Deadline(5_000, undefined, hub));
    const stop = new AbortController();
    const second = receivers.certified(new Deadline(5_000, stop.signal, hub));
    stop.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    receivers.set('r', nodeId(1), { state: 'certified' });
    await first;
    receivers.forgetRelay('r');
    const third = receivers.certified(new Deadline(5_000, undefined, hub));
    receivers.end(new AmopError(99, { reason: 'closed' }));
    await expect(third).rejects.toMatchObject({ reason: 'closed' });
  });

  it.each([
    [99, 'unanswered'],
    [102, 'unanswered'],
    [104, 'unanswered'],
    [100, 'unreachable'],
    [101, 'unreachable'],
    [103, 'unreachable'],
    [1, 'refused'],
    [4711, 'refused'],
  ])('calls a challenge that ended with %i %s', (code, failure) => {
    expect(failureOf(new AmopError(code))).toBe(failure);
  });
});

describe('keys and names', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const sec1 = pair.privateKey.export({ type: 'sec1', format: 'pem' }).toString();
  const spki = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();

  it('are taken in every form', () => {
    const wanted = privateKeyBytes(pair.privateKey);
    for (const form of [pkcs8, sec1, Buffer.from(pkcs8), wanted.toString('hex'), `0x${wanted.toString('hex')}\n`]) {
      expect(privateKeyBytes(form)).toEqual(wanted);
    }
    const [publicKey] = publicKeyBytes([pair.publicKey]);
    const hex = publicKey.toString('hex');
    expect(publicKeyBytes([spki, Buffer.from(spki), hex, `04${hex}`, `0x${hex}`])).toEqual([publicKey]);
    expect(privateKeyBytes(PRIVATE_HEX)).toEqual(privateKey);
  });

  it('are refused with what is wrong', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const encrypted = pair.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' });
    for (const key of [rsa.privateKey, p256.privateKey, encrypted, spki, 'ff'.repeat(32), PUBLIC_HEX, pair.publicKey]) {
      expect(() => privateKeyBytes(key), String(key)).toThrow(RelayError);
    }
    expect(() => privateKeyBytes(encrypted)).toThrow('createPrivateKey({ key, passphrase })');
    for (const key of [pkcs8, PRIVATE_HEX, pair.privateKey, p256.publicKey, 'ab'.repeat(64), 'text', '']) {
      expect(() => publicKeyBytes([key]), String(key)).toThrow(RelayError);
    }
    expect(() => privateKeyBytes(7)).toThrow(TypeError);
    expect(() => publicKeyBytes('one')).toThrow(TypeError);
    expect(() => publicKeyBytes([{}])).toThrow(TypeError);
    expect(() => publicKeyBytes([])).toThrow(RangeError);
    expect(() => publicKeyBytes(Array(65).fill(createPublicKey(spki)))).toThrow(RangeError);
  });

  it('do not appear in the error about them', () => {
    const secret = randomBytes(31).toString('hex');
    expect(() => privateKeyBytes(secret)).toThrow(/^(?!.*[0-9a-f]{20}).*62 hex digits/);
  });

  it('have at most 185 bytes and no prefix', () => {
    expect(() => checkPrivateName('x'.repeat(185))).not.toThrow();
    expect(newChallengeTopic('x'.repeat(185))).toHaveLength(254);
    for (const name of ['x'.repeat(186), '', N, 'a\tb']) expect(() => checkPrivateName(name)).toThrow(RangeError);
    expect(() => checkPrivateName(undefined)).toThrow(TypeError);
  });
});
