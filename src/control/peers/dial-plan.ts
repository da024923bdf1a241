/**
 * When to dial which configured endpoint: back-off with jitter, and what is known of who stands behind it.
 *
 * Invariant: an endpoint has at most one dial under way. An endpoint whose node is connected, by whatever link, is not due, nor
 * is one that turned out to be ourselves. A link that has been silent for long does not count: a second one may take over.
 */

/** First wait after a failure; it doubles with each further one. */
const BACKOFF_MS_MIN = 50;
/** A peer that restarts is back within this: a SYN and a TLS handshake cost both sides a millisecond. */
const BACKOFF_RECENT_MS_MAX = 500;
/** Who was not back after a minute is down for longer. */
const RECENT_MS = 60_000;
const BACKOFF_MS_MAX = 5_000;
/** After the loss of a link that had worked: spreads the dials of both sides and of many relays that lose one peer. */
const FIRST_JITTER_MS = 50;
/** A link that lived this long worked: the back-off starts anew. */
const STABLE_MS = 5_000;
/** A dial that reports nothing for this long (the reference gives up after 50 s) is taken for lost. */
const DIAL_LOST_MS = 60_000;
/** Dials under way at one time: bounds sockets and handshakes after a cut that took every peer. */
const DIALS_MAX = 64;

/** How a link ended that leaves an endpoint to be dialled again. */
export interface LinkLife {
  readonly livedMs: number;
  /** A frame was received: the peer had taken us on. A link that it refused is a failed dial and no loss. */
  readonly heard: boolean;
}

interface Endpoint {
  phase: 'idle' | 'dialling' | 'up';
  link: number;
  nodeId: string | undefined;
  self: boolean;
  /** No longer in the configuration. */
  removed: boolean;
  /** Its node was connected and not silent at the last look. */
  met: boolean;
  failures: number;
  /** Since when it is down; undefined before the first look at the clock. */
  downSinceMs: number | undefined;
  nextDialMs: number;
  dialledMs: number;
}

export interface EndpointView {
  readonly removed: boolean;
  readonly phase: 'idle' | 'dialling' | 'up' | 'self';
  /** Who was met there last. */
  readonly nodeId: string | undefined;
  readonly failures: number;
  readonly nextDialMs: number;
}

export class DialPlan {
  /** Grows only, so that indices stay; what a reload took out is marked. */
  readonly #endpoints: Endpoint[];
  readonly #random: () => number;
  /** Where the search for due endpoints goes on, so that the bound on dials starves none. */
  #from = 0;

  constructor(count: number, random: () => number) {
    this.#random = random;
    this.#endpoints = [];
    this.setCount(count);
  }

  /** Adds endpoints behind those that are there. */
  setCount(count: number): void {
    while (this.#endpoints.length < count) {
      this.#endpoints.push({
        phase: 'idle',
        link: -1,
        nodeId: undefined,
        self: false,
        removed: false,
        met: false,
        failures: 0,
        downSinceMs: undefined,
        nextDialMs: Number.NEGATIVE_INFINITY,
        dialledMs: 0,
      });
    }
  }

  /** Takes an endpoint out, or back in. A link that was dialled there lives on. */
  setRemoved(index: number, removed: boolean): void {
    this.#endpoints[index].removed = removed;
  }

  /**
   * Marks the endpoints that are to be dialled now and returns their indices.
   * @param isHeard is there a link to this node that is not silent?
   */
  due(nowMs: number, isHeard: (nodeId: string) => boolean): number[] {
    let dialling = 0;
    for (const endpoint of this.#endpoints) {
      endpoint.downSinceMs ??= nowMs;
      this.#look(endpoint, isHeard, nowMs);
      if (endpoint.phase !== 'dialling') continue;
      if (nowMs - endpoint.dialledMs < DIAL_LOST_MS) dialling++;
      else this.#failed(endpoint, nowMs);
    }
    const due: number[] = [];
    const start = this.#from;
    for (let step = 0; step < this.#endpoints.length && dialling < DIALS_MAX; step++) {
      const index = (start + step) % this.#endpoints.length;
      const endpoint = this.#endpoints[index];
      if (endpoint.phase === 'dialling' || endpoint.self || endpoint.removed || endpoint.met) continue;
      if (nowMs < endpoint.nextDialMs) continue;
      endpoint.phase = 'dialling';
      endpoint.dialledMs = nowMs;
      this.#from = index + 1;
      dialling++;
      due.push(index);
    }
    return due;
  }

  /** A dialled link stands; `nodeId` is who answered. */
  reached(index: number, link: number, nodeId: string | undefined, self: boolean): void {
    const endpoint = this.#endpoints[index];
    if (!endpoint) return;
    endpoint.phase = 'up';
    endpoint.link = link;
    endpoint.nodeId = nodeId;
    endpoint.self = self;
  }

  dialFailed(index: number, nowMs: number): void {
    const endpoint = this.#endpoints[index];
    if (endpoint?.phase === 'dialling') this.#failed(endpoint, nowMs);
  }

  /** The link that was dialled at `index` ended. */
  linkEnded(index: number, link: number, life: LinkLife, nowMs: number): void {
    const endpoint = this.#endpoints[index];
    if (endpoint?.phase !== 'up' || endpoint.link !== link) return;
    this.#lost(endpoint, life, nowMs);
  }

  /**
   * The last link to a node ends: who may lead to it is dialled again. Comes before the `linkEnded` of that link, whose own
   * endpoint is still up.
   */
  nodeLost(nodeId: string, life: LinkLife, nowMs: number): void {
    for (const endpoint of this.#endpoints) {
      if (endpoint.phase === 'idle' && endpoint.nodeId === nodeId) this.#lost(endpoint, life, nowMs);
    }
  }

  view(): EndpointView[] {
    return this.#endpoints.map(({ phase, nodeId, self, removed, failures, nextDialMs }) => ({
      removed,
      phase: self ? 'self' : phase,
      nodeId,
      failures,
      nextDialMs,
    }));
  }

  /** A node whose link went silent may be down since now, though nobody has closed that link yet. */
  #look(endpoint: Endpoint, isHeard: (nodeId: string) => boolean, nowMs: number): void {
    const { nodeId, met } = endpoint;
    endpoint.met = nodeId !== undefined && isHeard(nodeId);
    if (!met || endpoint.met) return;
    endpoint.downSinceMs = nowMs;
    endpoint.failures = 0;
  }

  #lost(endpoint: Endpoint, life: LinkLife, nowMs: number): void {
    endpoint.met = false;
    if (life.heard) endpoint.downSinceMs = nowMs;
    // Whoever takes us on and leaves at once, again and again, is not dialled at full speed.
    if (!life.heard || life.livedMs < STABLE_MS) {
      this.#failed(endpoint, nowMs);
      return;
    }
    endpoint.phase = 'idle';
    endpoint.failures = 0;
    endpoint.nextDialMs = nowMs + this.#random() * FIRST_JITTER_MS;
  }

  #failed(endpoint: Endpoint, nowMs: number): void {
    const recent = nowMs - (endpoint.downSinceMs ?? nowMs) < RECENT_MS;
    const wait = Math.min(
      BACKOFF_MS_MIN * 2 ** Math.min(endpoint.failures, 16),
      recent ? BACKOFF_RECENT_MS_MAX : BACKOFF_MS_MAX,
    );
    endpoint.phase = 'idle';
    endpoint.failures++;
    // Half to whole: two relays that dial each other in step fall out of it.
    endpoint.nextDialMs = nowMs + wait * (0.5 + this.#random() / 2);
  }
}
