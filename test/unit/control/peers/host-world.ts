/** Two hosts that dial each other over virtual links, restart and lose connections. What runs on them is for the test to say. */
import { seededRandom } from '../../../helpers/random.js';
import { ACCEPTOR, type Cut, DIALLER, type EndEvents, type Side, VirtualLink, VirtualTime } from './virtual-network.js';

export type Name = 'lower' | 'higher';

export interface WorldSetup {
  readonly seed: number;
  readonly delayMsMax: number;
  /** Endpoints that lead from the lower one to the higher one, and back. */
  readonly endpoints: readonly [number, number];
}

/** A process on a host: everything that a restart forgets. */
export abstract class Process<Frame> {
  readonly host: Host<Frame>;
  alive = true;
  /** The link it routes over. */
  active: number | undefined = undefined;
  /** The ends it has, by the number of their link. */
  readonly ends = new Map<number, { readonly link: VirtualLink<Frame>; readonly side: Side }>();

  constructor(host: Host<Frame>) {
    this.host = host;
  }

  abstract linkUp(number: number, endpoint: number | undefined): void;
  abstract received(number: number, frame: Frame): void;
  abstract linkDown(number: number): void;
  abstract dialFailed(endpoint: number): void;
  /** What must hold at any time. */
  abstract check(): void;

  protected get world(): World<Frame> {
    return this.host.world;
  }

  protected get nowMs(): number {
    return this.world.time.nowMs;
  }

  /** Calls `run` every `ms` while the process lives, beginning at any time within the first `ms`. */
  protected every(ms: number, run: () => void): void {
    this.world.time.every(this.world.random() * ms, ms, () => {
      if (this.alive) run();
      return this.alive;
    });
  }

  protected send(number: number, frame: Frame): void {
    const end = this.ends.get(number);
    if (!end) throw new Error(`a frame for link ${number}, which has ended`);
    end.link.send(end.side, frame);
  }

  protected close(number: number): void {
    const end = this.ends.get(number);
    if (!end) throw new Error(`link ${number} is closed and has ended`);
    if (this.active === number) throw new Error(`link ${number} is closed before it is gone`);
    this.ends.delete(number);
    end.link.close(end.side);
  }

  protected activate(number: number): void {
    if (this.active !== undefined) throw new Error(`link ${number} is active beside ${this.active}`);
    this.active = number;
    this.world.changes++;
  }

  protected deactivate(number: number): void {
    if (this.active !== number) throw new Error(`link ${number} is gone, but ${this.active} was active`);
    this.active = undefined;
    this.world.changes++;
  }
}

export class Host<Frame> {
  readonly world: World<Frame>;
  readonly name: Name;
  readonly nodeId: string;
  readonly endpoints: number;
  process: Process<Frame> | undefined = undefined;

  constructor(world: World<Frame>, name: Name, endpoints: number) {
    this.world = world;
    this.name = name;
    this.nodeId = name === 'lower' ? `${'0'.repeat(127)}1` : 'f'.repeat(128);
    this.endpoints = endpoints;
  }

  get other(): Host<Frame> {
    return this === this.world.lower ? this.world.higher : this.world.lower;
  }

  start(): void {
    this.process ??= this.world.create(this);
  }

  /** @param heard the machine lives on and resets the connections of the process */
  stop(heard: boolean): void {
    const { process, world } = this;
    if (!process) return;
    this.process = undefined;
    process.alive = false;
    world.changes++;
    for (const { link, side } of process.ends.values()) {
      link.orphan(side);
      link.cut(heard ? 'both' : 'nobody');
    }
    process.ends.clear();
  }
}

export class World<Frame> {
  readonly time = new VirtualTime();
  readonly random: () => number;
  readonly lower: Host<Frame>;
  readonly higher: Host<Frame>;
  readonly create: (host: Host<Frame>) => Process<Frame>;
  /** Of active links, at either end. */
  changes = 0;
  dials = 0;
  readonly #links = new Set<VirtualLink<Frame>>();
  readonly #delayMs: () => number;
  #dialling = 0;
  #nextLink = 1;

  constructor({ seed, delayMsMax, endpoints }: WorldSetup, create: (host: Host<Frame>) => Process<Frame>) {
    this.random = seededRandom(seed);
    this.#delayMs = () => this.random() * delayMsMax;
    this.create = create;
    this.lower = new Host(this, 'lower', endpoints[0]);
    this.higher = new Host(this, 'higher', endpoints[1]);
    this.time.always = () => {
      this.lower.process?.check();
      this.higher.process?.check();
    };
  }

  start(): void {
    this.lower.start();
    this.higher.start();
  }

  cut(noticedBy: Cut): void {
    for (const link of this.#links) link.cut(noticedBy);
    this.#links.clear();
  }

  dial(from: Process<Frame>, endpoint: number): void {
    this.dials++;
    this.#dialling++;
    const failed = (): void => {
      this.#dialling--;
      if (from.alive) from.dialFailed(endpoint);
    };
    this.time.after(this.#delayMs(), () => {
      const to = from.host.other.process;
      if (to) this.#connect(from, to, endpoint, failed);
      else this.time.after(this.#delayMs(), failed);
    });
  }

  /** The number of the link that both route over and beside which there is nothing, if it is so. */
  get settled(): number | undefined {
    const [a, b] = [this.lower.process, this.higher.process];
    const alone = a?.ends.size === 1 && b?.ends.size === 1 && this.#dialling === 0;
    if (!alone || a.active === undefined || a.active !== b.active) return undefined;
    return a.ends.get(a.active)?.link.isBroken ? undefined : a.active;
  }

  /** Lets time pass; throws if the two are not settled after `boundMs`, or if anything happens to their link later. */
  expectSettled(boundMs: number): void {
    this.time.pass(boundMs);
    const link = this.settled;
    if (link === undefined) throw new Error(`not settled after ${boundMs} ms`);
    const { changes, dials } = this;
    this.time.pass(STABLE_MS);
    if (this.settled !== link || this.changes !== changes) throw new Error('settled, but not for long');
    if (this.dials !== dials) throw new Error('dialled though connected');
  }

  #connect(from: Process<Frame>, to: Process<Frame>, endpoint: number, failed: () => void): void {
    const number = this.#nextLink++;
    const end = (process: Process<Frame>, side: Side, notUp: () => void): EndEvents<Frame> => ({
      up: () => {
        if (side === DIALLER) this.#dialling--;
        if (!process.alive) {
          link.close(side);
          return;
        }
        process.ends.set(number, { link, side });
        process.linkUp(number, side === DIALLER ? endpoint : undefined);
      },
      failed: notUp,
      received: (frame) => process.received(number, frame),
      down: () => {
        process.ends.delete(number);
        process.linkDown(number);
      },
    });
    const link: VirtualLink<Frame> = new VirtualLink(
      this.time,
      this.#delayMs,
      end(from, DIALLER, failed),
      end(to, ACCEPTOR, () => {}),
    );
    this.#links.add(link);
  }
}

/** A link that is silent for ten seconds would be replaced within this. */
const STABLE_MS = 12_000;
