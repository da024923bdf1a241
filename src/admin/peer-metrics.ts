/** Metrics about peers: what the control thread knows, read when scraped. Labels are bounded: states, and organisations. */

/** What the control thread knows about peers. */
export interface PeerMetricsSource {
  readonly peers: readonly {
    readonly state: string;
    readonly organisation: string;
    readonly topicLagSeconds: number;
  }[];
  readonly endpoints: readonly { readonly phase: string }[];
  /** Sums by organisation, links that ended included. */
  readonly organisations: ReadonlyMap<
    string,
    {
      readonly messagesReceived: number;
      readonly messagesSent: number;
      readonly bytesReceived: number;
      readonly bytesSent: number;
      readonly queueBytes: number;
    }
  >;
}

export interface PeerMetric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: (source: PeerMetricsSource) => { labels: Record<string, string>; value: number }[];
}

const PEER_STATES = ['active', 'held', 'ending'];
const ENDPOINT_PHASES = ['idle', 'dialling', 'up', 'connected', 'self'];

/** A sample for each value, also for those that nothing has. */
function countBy(label: string, values: readonly string[], found: readonly string[]) {
  return values.map((value) => ({ labels: { [label]: value }, value: found.filter((one) => one === value).length }));
}

const byDirection =
  (received: 'messagesReceived' | 'bytesReceived', sent: 'messagesSent' | 'bytesSent') =>
  ({ organisations }: PeerMetricsSource) =>
    [...organisations].flatMap(([peer_org, traffic]) => [
      { labels: { peer_org, direction: 'received' }, value: traffic[received] },
      { labels: { peer_org, direction: 'sent' }, value: traffic[sent] },
    ]);

export const PEER_METRICS: readonly PeerMetric[] = [
  {
    name: 'amop_peers',
    type: 'gauge',
    help: 'Connections to peers: routed over (active), second ones to a peer (held), and those that lost to another (ending).',
    labels: ['state'],
    read: ({ peers }) =>
      countBy(
        'state',
        PEER_STATES,
        peers.map(({ state }) => state),
      ),
  },
  {
    name: 'amop_peer_endpoints',
    type: 'gauge',
    help: 'Configured nodes: to be dialled (idle), being dialled, connected by our dial (up) or by theirs (connected), ourselves.',
    labels: ['phase'],
    read: ({ endpoints }) =>
      countBy(
        'phase',
        ENDPOINT_PHASES,
        endpoints.map(({ phase }) => phase),
      ),
  },
  {
    name: 'amop_topic_sync_lag_seconds',
    type: 'gauge',
    help: 'For how long the topic list of a peer has been known to be old; the largest of each organisation.',
    labels: ['peer_org'],
    read: ({ peers }) => {
      const lags = new Map<string, number>();
      for (const { organisation, topicLagSeconds, state } of peers) {
        if (state === 'active') lags.set(organisation, Math.max(lags.get(organisation) ?? 0, topicLagSeconds));
      }
      return [...lags].map(([peer_org, value]) => ({ labels: { peer_org }, value }));
    },
  },
  {
    name: 'amop_peer_messages_total',
    type: 'counter',
    help: 'AMOP messages and answers exchanged with peers.',
    labels: ['peer_org', 'direction'],
    read: byDirection('messagesReceived', 'messagesSent'),
  },
  {
    name: 'amop_peer_bytes_total',
    type: 'counter',
    help: 'Bytes of frames exchanged with peers, gossip and headers included, TLS excluded.',
    labels: ['peer_org', 'direction'],
    read: byDirection('bytesReceived', 'bytesSent'),
  },
  {
    name: 'amop_peer_queue_bytes',
    type: 'gauge',
    help: 'Output that waits for the sockets of peers.',
    labels: ['peer_org'],
    read: ({ organisations }) =>
      [...organisations].map(([peer_org, { queueBytes }]) => ({ labels: { peer_org }, value: queueBytes })),
  },
];
