/** What the connections of one shard share. One object a shard, made once. */
import type { FrameScanner } from '../addon/types.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Stats } from '../base/stats.js';
import type { FlowControl } from '../core/flow-control.js';
import type { InboundBudget } from '../core/inbound-budget.js';
import type { Router } from '../core/router.js';
import type { SubscriptionChange, TopicTable } from '../core/topic-table.js';
import type { FrameWriter } from '../transport/frame-writer.js';
import type { Connection } from './connection.js';
import type { ShardLimits } from './messages.js';
import type { PrivateRoutes } from './private-routes.js';
import type { Session } from './session.js';

export interface ShardContext {
  readonly scanner: FrameScanner;
  readonly rows: Int32Array;
  readonly router: Router;
  readonly topics: TopicTable;
  readonly budget: InboundBudget;
  /** Another one after a reload. */
  readonly flow: FlowControl;
  readonly privates: PrivateRoutes;
  readonly limits: ShardLimits;
  readonly stats: Stats;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Lets a joined writer write at the end of the turn. */
  flushLater(writer: FrameWriter): void;
  /** Hands a JSON-RPC request to the control thread; the answer comes through `Session.rpcReply`. */
  callControl(session: Session, seq: Buffer, body: Uint8Array): void;
  /** The control thread's directory follows every change. */
  subscriptionsChanged(change: SubscriptionChange): void;
  /** The socket of a session exists; it may outlive the session by its last bytes. */
  connectionOpened(): void;
  connectionEnded(): void;
  /** The session left; called once. */
  sessionEnded(session: Session): void;
  /** Reading was paused and must be looked at again when memory becomes free. */
  readingPaused(connection: Connection<string>): void;
}
