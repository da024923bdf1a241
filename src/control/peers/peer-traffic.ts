/** Messages and bytes of links, and their sums by organisation for metrics, which must not have a label for each link. */
import { ORGANISATION_LABELS_MAX } from '../../base/limits.js';
import type { PeerReport } from '../../shard/messages.js';

export type LinkTraffic = {
  -readonly [Name in Exclude<keyof PeerReport, 'link'>]: number;
};

/** `queueBytes` is what waits now, in all links of the organisation together. */
export type OrganisationTraffic = LinkTraffic;

/** Where organisations beyond the bound are counted together. */
const OTHERS = 'other';

const NONE: LinkTraffic = { messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0, queueBytes: 0 };

export class PeerTraffic {
  readonly organisations = new Map<string, OrganisationTraffic>();
  readonly #links = new Map<number, { readonly organisation: string; readonly traffic: LinkTraffic }>();

  /** Adds what passed a link since the report before. */
  add(organisation: string, report: PeerReport): void {
    let link = this.#links.get(report.link);
    if (!link) {
      const known = this.organisations.has(organisation) || this.organisations.size < ORGANISATION_LABELS_MAX;
      link = { organisation: known ? organisation : OTHERS, traffic: { ...NONE } };
      this.#links.set(report.link, link);
    }
    const sum = this.organisations.get(link.organisation) ?? { ...NONE };
    this.organisations.set(link.organisation, sum);
    sum.queueBytes += report.queueBytes - link.traffic.queueBytes;
    link.traffic.queueBytes = report.queueBytes;
    for (const traffic of [sum, link.traffic]) {
      traffic.messagesReceived += report.messagesReceived;
      traffic.messagesSent += report.messagesSent;
      traffic.bytesReceived += report.bytesReceived;
      traffic.bytesSent += report.bytesSent;
    }
  }

  of(link: number): LinkTraffic {
    return this.#links.get(link)?.traffic ?? NONE;
  }

  /** The link is gone; its organisation keeps the sums. */
  ended(link: number): void {
    const known = this.#links.get(link);
    if (!known) return;
    const sum = this.organisations.get(known.organisation);
    if (sum) sum.queueBytes -= known.traffic.queueBytes;
    this.#links.delete(link);
  }
}
