/** Which certificates may be peers: white list, black list (which wins), SDK certificates. */
import type { P2PCloseReason } from '../../base/p2p-close-reason.js';

export interface PeerLists {
  /** Node IDs; an empty list lets everybody in. */
  readonly whitelist: readonly string[];
  readonly blacklist: readonly string[];
  readonly allowSdkCertificates: boolean;
}

/** 64 bytes of the public key in hex. */
const NODE_ID = /^[0-9a-f]{128}$/;

/** The form in which node IDs are compared (the reference writes them in either case), or undefined for what is none. */
export function normalNodeId(text: string | undefined): string | undefined {
  const nodeId = text?.toLowerCase();
  return nodeId !== undefined && NODE_ID.test(nodeId) ? nodeId : undefined;
}

export class PeerPolicy {
  readonly #whitelist: ReadonlySet<string>;
  readonly #blacklist: ReadonlySet<string>;
  readonly #allowSdkCertificates: boolean;

  constructor(lists: PeerLists) {
    this.#whitelist = new Set(lists.whitelist.map((id) => id.toLowerCase()));
    this.#blacklist = new Set(lists.blacklist.map((id) => id.toLowerCase()));
    this.#allowSdkCertificates = lists.allowSdkCertificates;
  }

  /** Why a node may not be a peer, or undefined. `nodeId` is a normal one. */
  refusal(nodeId: string, isSdkCertificate: boolean): P2PCloseReason | undefined {
    if (this.#blacklist.has(nodeId)) return 'blacklisted';
    if (this.#whitelist.size > 0 && !this.#whitelist.has(nodeId)) return 'not-whitelisted';
    return isSdkCertificate && !this.#allowSdkCertificates ? 'sdk-certificate' : undefined;
  }
}
