/**
 * Who is connected and whom to dial. Pure state: links are numbers, the caller owns the sockets.
 *
 * Invariants: a node ID has at most one active link at any time, the one we route over; `peerActive` and `peerGone` alternate
 * for it. A further link of the same node is held: kept quietly, still served, until it is settled which one stays. A link
 * that ended or was closed here is forgotten at once; later news of it is ignored.
 *
 * Two relays that dial each other see the two links come up in either order. So neither closes one by order: when the hellos
 * have passed on both, both ends know the same facts and keep the link dialled by the lower node ID. Towards a 2.x node, which
 * closes the newer one itself, the first stays.
 */
import { assert } from '../../base/errors.js';
import type { P2PCloseReason } from '../../base/p2p-close-reason.js';
import type { Hello } from '../../wire/mesh/hello.js';
import { DialPlan, type EndpointView } from './dial-plan.js';
import { normalNodeId, type PeerLists, PeerPolicy } from './peer-lists.js';

/** A relay says hello in its first frame; who was silent for this long is a 2.x node. */
export const HELLO_TIMEOUT_MS = 2_000;
/** Both kinds of peer send every 5 s: twice that without a frame, and it is dialled anew; the new link takes over. */
export const SILENT_LINK_MS = 10_000;
/** The reference closes after 60 s without a frame. */
export const IDLE_LINK_MS = 60_000;
/** The link that loses stays open this long, so that what is under way on it ends in its answer. */
export const SETTLED_LINGER_MS = 300;
/** One held link is a simultaneous dial, a second one the redial after a cut that was not noticed. */
const HELD_MAX = 2;

/** `unknown`: connected for less than 2 s and no hello yet; to be treated as a 2.x node meanwhile. */
export type PeerKind = 'unknown' | 'legacy' | 'relay';

/** What the certificate and the socket say about a new link. */
export interface LinkInfo {
  /** Never used again in the life of the book. */
  readonly link: number;
  /** 128 hex digits in either case; undefined for a certificate without basicConstraints or without an EC key. */
  readonly nodeId: string | undefined;
  readonly dialled: boolean;
  /** Index of the endpoint, for a dialled link. */
  readonly endpoint?: number | undefined;
  /** Subject has OU=sdk. */
  readonly isSdkCertificate: boolean;
  /** CN of the issuer and of the subject, for display. */
  readonly agency: string;
  readonly name: string;
  readonly remote: string;
}

export interface Peer {
  readonly link: number;
  /** 128 lower-case hex digits. */
  readonly nodeId: string;
  readonly kind: PeerKind;
  readonly hello: Hello | undefined;
  readonly dialled: boolean;
  readonly endpoint: number | undefined;
  readonly agency: string;
  readonly name: string;
  readonly remote: string;
}

export interface PeerView extends Peer {
  readonly state: LinkState;
  readonly upMs: number;
  /** When the last frame came; `upMs` before the first. */
  readonly heardMs: number;
}

/** `ending`: lost the tie-break, closes in a moment. */
export type LinkState = 'active' | 'held' | 'ending';

/** What the book wants done. Calls may be answered from inside. */
export interface PeerBookActions {
  /** Dial; reported back by `linkUp` with this endpoint or by `dialFailed`. */
  dial(endpoint: number): void;
  /** Close the connection. No `linkDown` is needed, none does harm. */
  close(link: number, reason: P2PCloseReason): void;
  /** Send the hello, as the first frame of the link. Comes before everything else for this link. */
  sendHello(link: number): void;
  /** The link is the one to route over. */
  peerActive(link: number, peer: Peer): void;
  /**
   * The kind of a peer became known (or a hello came late): it was `unknown` or `legacy` before. Told of held links, too: what
   * came over one is answered, and handed over when it ends, as between relays.
   */
  peerChanged(link: number, peer: Peer, state: LinkState): void;
  /** The link is no longer to be routed over; comes before its `close`, and before `peerActive` of another one. */
  peerGone(link: number, peer: Peer): void;
  /** A second link of a connected node: answer what comes over it, send nothing over it. Becomes active or is closed. */
  peerHeld(link: number, peer: Peer): void;
}

export interface PeerBookOptions extends PeerLists {
  /** 128 hex digits. */
  readonly ownNodeId: string;
  readonly endpoints: readonly { readonly host: string; readonly port: number }[];
  /** Nodes connected at one time; links are twice as many, one in each direction. */
  readonly peersMax: number;
}

class Link {
  readonly info: LinkInfo;
  readonly nodeId: string;
  readonly upMs: number;
  state: LinkState = 'held';
  hello: Hello | undefined = undefined;
  /** Silent for 2 s without a hello. */
  legacy = false;
  heard = false;
  heardMs: number;
  endMs = 0;

  constructor(info: LinkInfo, nodeId: string, nowMs: number) {
    this.info = info;
    this.nodeId = nodeId;
    this.upMs = nowMs;
    this.heardMs = nowMs;
  }

  get peer(): Peer {
    const { link, dialled, endpoint, agency, name, remote } = this.info;
    const kind = this.hello ? 'relay' : this.legacy ? 'legacy' : 'unknown';
    return { link, nodeId: this.nodeId, kind, hello: this.hello, dialled, endpoint, agency, name, remote };
  }
}

interface Node {
  active: Link | undefined;
  /** In the order they came up. */
  readonly held: Link[];
  /** Links in any state. */
  links: number;
}

export class PeerBook {
  readonly ownNodeId: string;
  #peersMax: number;
  readonly #actions: PeerBookActions;
  readonly #dials: DialPlan;
  readonly #links = new Map<number, Link>();
  readonly #nodes = new Map<string, Node>();
  #policy: PeerPolicy;
  #draining = false;

  /** `random` returns 0 <= x < 1. */
  constructor(options: PeerBookOptions, actions: PeerBookActions, random: () => number) {
    const ownNodeId = normalNodeId(options.ownNodeId);
    assert(ownNodeId !== undefined, 'own node ID has 128 hex digits');
    this.ownNodeId = ownNodeId;
    this.#peersMax = options.peersMax;
    this.#actions = actions;
    this.#policy = new PeerPolicy(options);
    this.#dials = new DialPlan(options.endpoints.length, random);
  }

  /** A TLS connection stands, in either direction. */
  linkUp(info: LinkInfo, nowMs: number): void {
    assert(!this.#links.has(info.link), `link ${info.link} is new`);
    const nodeId = normalNodeId(info.nodeId);
    const self = nodeId === this.ownNodeId;
    if (info.endpoint !== undefined) this.#dials.reached(info.endpoint, info.link, nodeId, self);
    const refusal = nodeId === undefined ? 'no-node-id' : self ? 'self' : this.#refusal(nodeId, info);
    if (nodeId === undefined || refusal) {
      this.#endpointFree(info, { livedMs: 0, heard: false }, nowMs);
      this.#actions.close(info.link, refusal ?? 'no-node-id');
      return;
    }
    const link = new Link(info, nodeId, nowMs);
    const node = this.#nodes.get(nodeId) ?? { active: undefined, held: [], links: 0 };
    this.#nodes.set(nodeId, node);
    this.#links.set(info.link, link);
    node.links++;
    this.#actions.sendHello(info.link);

    const { active } = node;
    if (!active) this.#activate(node, link);
    else if (nowMs - active.heardMs >= SILENT_LINK_MS) this.#replace(node, active, link, nowMs);
    else if (this.#staysFirst(active, link) || node.held.length >= HELD_MAX) this.#drop(link, 'duplicate-peer', nowMs);
    else {
      node.held.push(link);
      this.#actions.peerHeld(info.link, link.peer);
    }
  }

  /** The hello of the peer; what `activity` does is included. A second one on the same link changes nothing. */
  helloReceived(linkNumber: number, hello: Hello, nowMs: number): void {
    const link = this.#links.get(linkNumber);
    if (!link) return;
    this.#hear(link, nowMs);
    if (link.hello) return;
    link.hello = hello;
    this.#actions.peerChanged(linkNumber, link.peer, link.state);
    const node = this.#nodes.get(link.nodeId);
    if (node) this.#settle(node, nowMs);
  }

  /** A frame was received, of whatever kind. */
  activity(linkNumber: number, nowMs: number): void {
    const link = this.#links.get(linkNumber);
    if (link) this.#hear(link, nowMs);
  }

  /** Closes a link for something it did. */
  close(linkNumber: number, reason: P2PCloseReason, nowMs: number): void {
    const link = this.#links.get(linkNumber);
    if (link) this.#drop(link, reason, nowMs);
  }

  /** A connection ended by itself or by the peer. */
  linkDown(linkNumber: number, nowMs: number): void {
    const link = this.#links.get(linkNumber);
    if (link) this.#forget(link, undefined, nowMs);
  }

  /** A dial ended without a link. */
  dialFailed(endpoint: number, nowMs: number): void {
    this.#dials.dialFailed(endpoint, nowMs);
  }

  /** Ends what took too long and dials what is due. Call it every few tens of milliseconds. */
  tick(nowMs: number): void {
    for (const link of [...this.#links.values()]) {
      if (!this.#links.has(link.info.link)) continue;
      if (nowMs - link.heardMs >= IDLE_LINK_MS) this.#drop(link, 'idle', nowMs);
      else if (link.state === 'ending') {
        if (nowMs >= link.endMs) this.#drop(link, 'duplicate-peer', nowMs);
      } else if (nowMs - link.upMs >= HELLO_TIMEOUT_MS) this.#helloOverdue(link, nowMs);
    }
    if (this.#draining || this.#nodes.size >= this.#peersMax || this.#links.size >= 2 * this.#peersMax) return;
    for (const endpoint of this.#dials.due(nowMs, (nodeId) => this.#isHeard(nodeId, nowMs)))
      this.#actions.dial(endpoint);
  }

  /** New lists: links that they refuse are closed. */
  replaceLists(lists: PeerLists, nowMs: number): void {
    this.#policy = new PeerPolicy(lists);
    // Active ones last: no link of a node that is refused moves up for a moment.
    const links = [...this.#links.values()].sort((a, b) => Number(a.state === 'active') - Number(b.state === 'active'));
    for (const link of links) {
      const refusal = this.#policy.refusal(link.nodeId, link.info.isSdkCertificate);
      if (refusal && this.#links.has(link.info.link)) this.#drop(link, refusal, nowMs);
    }
  }

  /** Endpoints from 0 to `count` exist; those in `removed` are not dialled. */
  setEndpoints(count: number, removed: ReadonlySet<number>): void {
    this.#dials.setCount(count);
    for (let index = 0; index < count; index++) this.#dials.setRemoved(index, removed.has(index));
  }

  setPeersMax(peersMax: number): void {
    this.#peersMax = peersMax;
  }

  /** From now on nothing is dialled and new links are refused; the caller closes the others when they are idle. */
  drain(): void {
    this.#draining = true;
  }

  /** True while a link to this node (lower-case hex) is active. */
  isConnected(nodeId: string): boolean {
    return this.#nodes.get(nodeId)?.active !== undefined;
  }

  /** Every link, for display. */
  peers(): PeerView[] {
    return [...this.#links.values()].map((link) => ({
      ...link.peer,
      state: link.state,
      upMs: link.upMs,
      heardMs: link.heardMs,
    }));
  }

  /** The configured endpoints in their order, for display. */
  endpoints(): EndpointView[] {
    return this.#dials.view();
  }

  #isHeard(nodeId: string, nowMs: number): boolean {
    const active = this.#nodes.get(nodeId)?.active;
    return active !== undefined && nowMs - active.heardMs < SILENT_LINK_MS;
  }

  #refusal(nodeId: string, info: LinkInfo): P2PCloseReason | undefined {
    const refusal = this.#policy.refusal(nodeId, info.isSdkCertificate);
    if (refusal) return refusal;
    if (this.#draining) return 'draining';
    const full = !this.#nodes.has(nodeId) && this.#nodes.size >= this.#peersMax;
    return full || this.#links.size >= 2 * this.#peersMax ? 'peers-max' : undefined;
  }

  /** A 2.x node has one link and refuses others; of two that we dialled we choose, and the peer waits. */
  #staysFirst(active: Link, link: Link): boolean {
    return active.legacy && !active.hello ? true : active.info.dialled && link.info.dialled;
  }

  #hear(link: Link, nowMs: number): void {
    link.heard = true;
    link.heardMs = nowMs;
  }

  #activate(node: Node, link: Link): void {
    node.active = link;
    link.state = 'active';
    this.#actions.peerActive(link.info.link, link.peer);
  }

  /** `link` takes over from one that is dead or as good as dead. */
  #replace(node: Node, old: Link, link: Link, nowMs: number): void {
    this.#unhold(node, link);
    this.#deactivate(node, old);
    // Active before the close: the end of the old link is then no loss of the node.
    this.#activate(node, link);
    this.#drop(old, 'replaced', nowMs);
  }

  #deactivate(node: Node, link: Link): void {
    node.active = undefined;
    link.state = 'ending';
    this.#actions.peerGone(link.info.link, link.peer);
  }

  #unhold(node: Node, link: Link): void {
    const at = node.held.indexOf(link);
    if (at >= 0) node.held.splice(at, 1);
  }

  /** Decides between the active link and the held ones as far as the hellos allow. */
  #settle(node: Node, nowMs: number): void {
    for (const rival of [...node.held]) {
      const { active } = node;
      if (!active?.hello || !rival.hello) continue;
      const age = rival.hello.bootEpochMs - active.hello.bootEpochMs;
      if (age > 0) {
        // The peer started anew: nobody is left at the other end of the active link.
        this.#replace(node, active, rival, nowMs);
        continue;
      }
      const survivor = age < 0 ? active : this.#survivor(active, rival);
      if (survivor === undefined) continue;
      const loser = survivor === active ? rival : active;
      loser.endMs = nowMs + SETTLED_LINGER_MS;
      this.#unhold(node, rival);
      if (survivor === rival) {
        this.#deactivate(node, active);
        this.#activate(node, rival);
      } else {
        rival.state = 'ending';
      }
    }
  }

  /** Which of two links between two relays stays; undefined where the peer has to choose. Both ends come to the same. */
  #survivor(active: Link, rival: Link): Link | undefined {
    if (active.info.dialled === rival.info.dialled) return active.info.dialled ? active : undefined;
    const dialledByLower = this.ownNodeId < active.nodeId;
    return active.info.dialled === dialledByLower ? active : rival;
  }

  #helloOverdue(link: Link, nowMs: number): void {
    const node = this.#nodes.get(link.nodeId);
    const active = node?.active;
    if (!node || !active) return;
    if (link.state === 'held') {
      if (nowMs - active.heardMs >= SILENT_LINK_MS) this.#replace(node, active, link, nowMs);
      else this.#drop(link, 'duplicate-peer', nowMs);
    } else if (!link.hello && !link.legacy) {
      link.legacy = true;
      this.#actions.peerChanged(link.info.link, link.peer, link.state);
    }
  }

  #drop(link: Link, reason: P2PCloseReason, nowMs: number): void {
    this.#forget(link, reason, nowMs);
  }

  /** Takes a link out; closes it when there is a reason to. A held link moves up. */
  #forget(link: Link, reason: P2PCloseReason | undefined, nowMs: number): void {
    const number = link.info.link;
    const node = this.#nodes.get(link.nodeId);
    if (!this.#links.delete(number) || !node) return;
    node.links--;
    if (node.links === 0) this.#nodes.delete(link.nodeId);
    this.#unhold(node, link);
    const wasActive = node.active === link;
    if (wasActive) this.#deactivate(node, link);
    const life = { livedMs: nowMs - link.upMs, heard: link.heard };
    if (wasActive && node.held.length === 0) this.#dials.nodeLost(link.nodeId, life, nowMs);
    this.#endpointFree(link.info, life, nowMs);
    if (reason) this.#actions.close(number, reason);
    if (!wasActive || node.active) return;
    // One whose hello is there is known to be alive and to be a relay.
    const next = node.held.find((held) => held.hello) ?? node.held[0];
    if (!next) return;
    this.#unhold(node, next);
    this.#activate(node, next);
    this.#settle(node, nowMs);
  }

  #endpointFree(info: LinkInfo, life: { livedMs: number; heard: boolean }, nowMs: number): void {
    if (info.endpoint !== undefined) this.#dials.linkEnded(info.endpoint, info.link, life, nowMs);
  }
}
