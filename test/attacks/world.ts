/**
 * The two worlds of an attack: relays that go by the rules of the 2.x reference, where it must work, and this relay, where it must
 * not. Both are the same build and the same process, with a second implementation of what decides about private topics in the one
 * (reference/). So a test here shows that its attack is real, and that it is the check in question that ends it.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { Mesh, type MeshOptions, startMesh } from '../helpers/p2p/relays.js';
import { ScriptedRelay } from '../helpers/p2p/scripted-relay.js';
import { messageTopic, PrivateSender, PrivateSubscriber } from '../helpers/private.js';
import type { RawClient } from '../helpers/raw-client.js';
import type { RelayProcess } from '../helpers/relay-process.js';
import { type Variant, variantDist } from '../helpers/variant.js';
import { parseAmopBody, TYPE } from '../helpers/wire.js';

const folder = fileURLToPath(new URL('reference', import.meta.url));

/** Everything that decides about private topics by the rules of the reference. */
const REFERENCE: Variant = {
  name: 'reference',
  folder,
  modules: [
    'core/certification',
    'shard/asked-claims',
    'shard/challenge-gate',
    'shard/private-receivers',
    'wire/channel/challenge-topics',
    'control/private/private-access',
  ],
};
/** This relay, but it lists every topic. */
const LISTS_ALL: Variant = { name: 'lists', folder, modules: ['control/topic-directory'] };
/** This relay, but the status of private topics shows every name. */
const SHOWS_ALL: Variant = { name: 'status', folder, modules: ['control/private/private-topics'] };
/** This relay, but a topic may hold any character. */
const ANY_CHARACTER: Variant = { name: 'characters', folder, modules: ['wire/channel/topic'] };

export interface World {
  /** Does the attack work there? */
  readonly works: boolean;
  readonly variant: Variant | undefined;
  /** Lines of `[private_topics]`. */
  readonly settings: string;
}

/** For `describe.each`: how a title ends, and the world. */
export type Worlds = readonly (readonly [string, World])[];

export const OURS: World = { works: false, variant: undefined, settings: '' };

function worlds(variant: Variant, words: string, settings = ''): Worlds {
  return [
    [`works ${words}`, { works: true, variant, settings }],
    ['fails against this relay', OURS],
  ];
}

/** A node delivers to its own sessions without certification. */
export const WORLDS = worlds(REFERENCE, 'by the rules of the reference', 'certify_local = false');
export const WORLDS_OF_LISTING = worlds(LISTS_ALL, 'where every topic is listed');
export const WORLDS_OF_STATUS = worlds(SHOWS_ALL, 'where the status shows every name');
export const WORLDS_OF_CHARACTERS = worlds(ANY_CHARACTER, 'where a topic may hold any character');

export interface AttackedOptions extends Omit<MeshOptions, 'distDir' | 'extraToml'> {
  /** More lines of `[private_topics]`. */
  readonly settings?: string;
  /** Sections behind it. */
  readonly sections?: string;
}

/** Nobody here is silent: what a busy machine delays must not look like it. */
const LIMITS = { subscriber_timeout_ms: 4_000, peer_timeout_ms: 7_000 };

async function meshOptions(world: World, { settings, sections, ...options }: AttackedOptions): Promise<MeshOptions> {
  return {
    limits: LIMITS,
    ...options,
    distDir: world.variant && (await variantDist(world.variant)),
    extraToml: ['[private_topics]', world.settings, settings ?? '', sections ?? ''].join('\n'),
  };
}

/** The first file of a run also makes the builds. */
const START_DEADLINE_MS = 60_000;

/** Linked relays of one world, for all tests of a block. */
export function useWorld(world: World, options: AttackedOptions = {}): () => Mesh {
  let mesh: Mesh | undefined;
  beforeAll(async () => {
    mesh = await Mesh.start(await meshOptions(world, options));
  }, START_DEADLINE_MS);
  afterAll(() => mesh?.stop());
  return () => {
    if (mesh === undefined) throw new Error('the relays are not running yet');
    return mesh;
  };
}

/** The same for one test. */
export async function startWorld(world: World, options: AttackedOptions = {}): Promise<Mesh> {
  return startMesh(await meshOptions(world, options));
}

// ---- who takes part

export function joinSender(mesh: Mesh, at: number, name: string, ...words: string[]): Promise<PrivateSender> {
  return PrivateSender.join((onFrame) => mesh.connect(at, { onFrame }), name, ...words);
}

export async function joinSubscriber(
  mesh: Mesh,
  at: number,
  name: string,
  word: string,
  challenge?: string,
): Promise<PrivateSubscriber> {
  return PrivateSubscriber.join(await mesh.connect(at), name, word, challenge);
}

/** An application with another certificate than everybody else. Whatever it is sent it answers, with the wrong signature. */
export async function joinMallory(mesh: Mesh, at: number): Promise<RawClient> {
  const credentials = mesh.relay(at).pki.sdkB.secp256k1;
  const mallory = await mesh.connect(at, { credentials, name: 'mallory' });
  mallory.answerWithEcho();
  return mallory;
}

/** A relay with a certificate of the chain, linked to one of the relays for the length of a test. */
export async function joinHostileRelay(mesh: Mesh, at: number, name = 'hostile'): Promise<ScriptedRelay> {
  const relay = await ScriptedRelay.dial({
    port: mesh.relays[at].p2pPort,
    credentials: mesh.pki.node(name, 'C'),
  });
  onTestFinished(() => relay.stop());
  return relay;
}

/** Payloads of the unicasts and multicasts on a private topic that came to a client. */
export function stolen(client: RawClient, name: string): string[] {
  return [...client.framesOf(TYPE.unicast), ...client.framesOf(TYPE.multicast)]
    .map(({ body }) => parseAmopBody(body))
    .filter(({ topic }) => topic === messageTopic(name))
    .map(({ payload }) => `${payload}`);
}

const RESULTS = 'amop_private_certifications_total';

/** Waits until a relay has come to one more result than before `act`. */
export async function untilResult(relay: RelayProcess, result: string, act: () => unknown): Promise<void> {
  const before = (await relay.metrics()).value(RESULTS, { result });
  await act();
  await relay.waitForMetric(RESULTS, { result }, before + 1);
}
