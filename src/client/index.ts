/**
 * The TypeScript client of amop-relay, published as `amop-relay/client`. It speaks the 2.x channel protocol, so it works
 * with a relay and with a FISCO BCOS 2.x node alike; towards a relay, errors carry a reason.
 */
export { RelayError, type RelayErrorCode } from '../base/errors.js';
export { AmopCode, AmopError, type AmopErrorDetails, describeCode } from './amop-error.js';
export type { AmopClient, Receipt } from './client.js';
export { connect } from './connect.js';
export type { ClientCounters, ClientEvents, DroppedMessage, RelayState, RelayStatus } from './events.js';
export type { Handler, HandlerResult } from './handler-receiver.js';
export type { Message } from './message.js';
export type { MessageStream } from './message-stream.js';
export type { CallOptions, ConnectOptions, Pem, SubscribeOptions, WhenFull } from './options.js';
export type { Payload } from './payload.js';
export type { PrivateTopicKey, PublicTopicKey } from './private-keys.js';
export type { CertificationFailure, PrivateReceiver } from './private-receivers.js';
export type { PrivateTopicSender } from './private-sender.js';
export type { Reply } from './reply.js';
export type { ServerInfo } from './session.js';
export type { TopicInfo } from './topics.js';
