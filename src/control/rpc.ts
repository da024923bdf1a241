/**
 * JSON-RPC over 0x12: what SDKs ask of a node before they use it (2.x SDK specification, section 4). There is no ledger here;
 * everything about one is refused in words.
 */
import type { ShardToControl } from '../shard/messages.js';
import { formatRpcError, formatRpcResult, parseRpcRequest, RpcErrorCode } from '../wire/channel/json-rpc.js';
import type { ListedPeer } from './peers/peer-service.js';
import type { PrivateStatus } from './private/private-topics.js';
import type { TopicDirectory } from './topic-directory.js';

/** Versions that Go and Java accept: exactly three numbers, 2.1.0 or above, below 3. */
const NODE_VERSION = '2.11.0';

/** The answer with every visible topic must stay a frame that SDKs take. */
const LISTED_TOPICS_MAX = 10_000;

export interface RpcSource {
  readonly chainId: string;
  readonly groups: readonly number[];
  /** 128 lower-case hex digits. */
  readonly nodeId: string;
  readonly agency: string;
  readonly name: string;
  readonly version: string;
  /** `ip:port` of the first listener, for display. */
  readonly endpoint: () => string;
  readonly topics: TopicDirectory;
  readonly peers: () => readonly ListedPeer[];
  /** Pairs of private topics in which a session takes part, those included for which the relay stands in its place. */
  readonly privateStatus: (session: number, agentTopics: readonly string[]) => readonly PrivateStatus[];
}

/** Who asks, as the shard knows it. */
export type RpcCaller = Pick<
  Extract<ShardToControl, { readonly type: 'rpc' }>,
  'session' | 'ownClient' | 'agentTopics'
>;

/** Answers one request body of a session with one reply body. `ownClient` opens the methods of the relay itself. */
export function answerRpc(source: RpcSource, caller: RpcCaller, body: Uint8Array): Buffer {
  const { session, ownClient, agentTopics } = caller;
  const request = parseRpcRequest(body);
  if (!request.ok) return request.reply;
  const { id, method } = request;
  switch (method) {
    case 'getClientVersion':
      return formatRpcResult(id, {
        'Build Time': '',
        'Build Type': `amop-relay ${source.version}`,
        'Chain Id': source.chainId,
        'FISCO-BCOS Version': NODE_VERSION,
        'Git Branch': '',
        'Git Commit Hash': '',
        'Supported Version': NODE_VERSION,
      });
    case 'getGroupList':
      return formatRpcResult(id, [...source.groups]);
    case 'getBlockNumber':
      return formatRpcResult(id, '0x0');
    case 'getNodeIDList':
    case 'getGroupPeers':
    case 'getSealerList':
    case 'getObserverList':
      return formatRpcResult(id, [source.nodeId]);
    case 'getPeers':
      // The publisher demos of Java look for their topic here once, and wait 20 s when it is missing.
      return formatRpcResult(id, [nodeInfo(source), ...source.peers().map(peerInfo)]);
    case 'getNodeInfo':
      return formatRpcResult(id, nodeInfo(source));
    case 'amop_topics':
      if (ownClient) return formatRpcResult(id, subscribedTopics(source).slice(0, LISTED_TOPICS_MAX));
      break;
    case 'amop_privateStatus':
      if (ownClient)
        return formatRpcResult(
          id,
          source.privateStatus(session, agentTopics).slice(0, LISTED_TOPICS_MAX).map(pairInfo),
        );
      break;
  }
  return formatRpcError(
    id,
    RpcErrorCode.methodNotFound,
    'METHOD_NOT_FOUND: this endpoint is an AMOP relay, it has no ledger and does not know this method',
  );
}

/** Visible topics of this relay and of its peers, sorted, with the sessions that relays count; null where only nodes have some. */
function subscribedTopics(source: RpcSource): { topic: string; subscribers: number | null }[] {
  const counts = new Map<string, number | null>();
  for (const { topic, subscribers } of source.topics.visible()) counts.set(topic, subscribers);
  for (const { isRelay, topics } of source.peers()) {
    for (const [topic, subscribers] of topics) {
      const known = counts.get(topic) ?? null;
      counts.set(topic, isRelay ? (known ?? 0) + subscribers : known);
    }
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([topic, subscribers]) => ({ topic, subscribers }));
}

type NodeInfo = { Agency: string; IPAndPort: string; Node: string; NodeID: string; Topic: string[] };

function peerInfo({ agency, remote, name, nodeId, topics }: ListedPeer): NodeInfo {
  return {
    Agency: agency,
    IPAndPort: remote,
    Node: name,
    NodeID: nodeId,
    Topic: [...topics.keys()].slice(0, LISTED_TOPICS_MAX),
  };
}

function pairInfo({ topic, state, forSeconds, failure, sender, subscriber }: PrivateStatus) {
  return { topic, state, forSeconds, failure, sender, subscriber };
}

function nodeInfo(source: RpcSource): NodeInfo {
  return {
    Agency: source.agency,
    IPAndPort: source.endpoint(),
    Node: source.name,
    NodeID: source.nodeId,
    Topic: source.topics
      .visible()
      .slice(0, LISTED_TOPICS_MAX)
      .map(({ topic }) => topic),
  };
}
