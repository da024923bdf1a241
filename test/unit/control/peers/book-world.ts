/** Hosts with a peer book, or with the habits of a 2.x node. */
import { type LinkInfo, PeerBook } from '../../../../src/control/peers/peer-book.js';
import type { Hello } from '../../../../src/wire/mesh/hello.js';
import { type Host, type Name, Process, World, type WorldSetup } from './host-world.js';

const TICK_MS = 20;
/** How often relays and nodes announce their topics over the link they route over. */
const BEAT_MS = 5_000;
/** How often a 2.x node dials whom it does not have, and after which silence it closes a link. */
const NODE_DIAL_MS = 10_000;
const NODE_IDLE_MS = 60_000;

type Frame = Hello | 'beat';

/** @param legacy the host that is a 2.x node */
export function makeBookWorld(setup: WorldSetup & { readonly legacy?: Name }): World<Frame> {
  return new World<Frame>(setup, (host) =>
    host.name === setup.legacy ? new NodeProcess(host) : new RelayProcess(host),
  );
}

abstract class BeatingProcess extends Process<Frame> {
  protected override activate(number: number): void {
    super.activate(number);
    this.send(number, 'beat');
    this.world.time.every(BEAT_MS, BEAT_MS, () => {
      const goesOn = this.alive && this.active === number;
      if (goesOn) this.send(number, 'beat');
      return goesOn;
    });
  }
}

class RelayProcess extends BeatingProcess {
  readonly #book: PeerBook;

  constructor(host: Host<Frame>) {
    super(host);
    const { world } = this;
    const hello = { version: 1, capabilities: 0, bootEpochMs: Math.floor(this.nowMs) + 1 };
    this.#book = new PeerBook(
      {
        ownNodeId: host.nodeId,
        endpoints: Array.from({ length: host.endpoints }, () => ({ host: 'other', port: 1 })),
        peersMax: 8,
        whitelist: [],
        blacklist: [],
        allowSdkCertificates: false,
      },
      {
        dial: (endpoint) => world.dial(this, endpoint),
        close: (link) => this.close(link),
        sendHello: (link) => this.send(link, hello),
        peerActive: (link) => this.activate(link),
        peerGone: (link) => this.deactivate(link),
        peerChanged: (link, _peer, state) => {
          if ((state === 'active') !== (link === this.active)) throw new Error(`link ${link} is not ${state}`);
        },
        peerHeld: (link) => {
          if (this.active === undefined || this.active === link) throw new Error(`link ${link} is held beside none`);
        },
      },
      world.random,
    );
    this.every(TICK_MS, () => this.#book.tick(this.nowMs));
  }

  linkUp(link: number, endpoint: number | undefined): void {
    const { nodeId } = this.host.other;
    const names = { agency: 'agency', name: 'node', remote: 'other:1' };
    const info: LinkInfo = {
      link,
      nodeId,
      dialled: endpoint !== undefined,
      endpoint,
      isSdkCertificate: false,
      ...names,
    };
    this.#book.linkUp(info, this.nowMs);
  }

  received(link: number, frame: Frame): void {
    if (frame === 'beat') this.#book.activity(link, this.nowMs);
    else this.#book.helloReceived(link, frame, this.nowMs);
  }

  linkDown(link: number): void {
    this.#book.linkDown(link, this.nowMs);
  }

  dialFailed(endpoint: number): void {
    this.#book.dialFailed(endpoint, this.nowMs);
  }

  check(): void {
    const { ends, active } = this;
    const known = this.#book.peers();
    if (known.length !== ends.size) throw new Error(`the book knows ${known.length} links of ${ends.size}`);
    for (const { link, state } of known) {
      if (!ends.has(link)) throw new Error(`the book knows link ${link}, which has ended`);
      if ((state === 'active') !== (link === active)) throw new Error(`link ${link} is ${state}, ${active} is active`);
    }
  }
}

/** Keeps its first link, closes every further one at once, and drops hellos. */
class NodeProcess extends BeatingProcess {
  #heardMs = 0;

  constructor(host: Host<Frame>) {
    super(host);
    this.every(NODE_DIAL_MS, () => {
      if (this.active !== undefined) return;
      for (let endpoint = 0; endpoint < host.endpoints; endpoint++) this.world.dial(this, endpoint);
    });
  }

  linkUp(link: number): void {
    if (this.active !== undefined) {
      this.close(link);
      return;
    }
    this.activate(link);
    this.received(link);
  }

  received(link: number): void {
    if (this.active !== link) return;
    this.#heardMs = this.nowMs;
    this.world.time.after(NODE_IDLE_MS, () => {
      if (!this.alive || this.active !== link || this.nowMs - this.#heardMs < NODE_IDLE_MS) return;
      this.deactivate(link);
      this.close(link);
    });
  }

  linkDown(link: number): void {
    if (this.active === link) this.deactivate(link);
  }

  dialFailed(): void {}

  check(): void {}
}
