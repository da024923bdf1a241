/**
 * The TypeScript client of amop-relay, published as `amop-relay/client`. It speaks the 2.x channel protocol, so it works
 * with a relay and with a FISCO BCOS 2.x node alike; towards a relay, errors carry a reason.
 */
export { RelayError, type RelayErrorCode } from '../base/errors.js';
export { AmopCode, AmopError, type AmopErrorDetails, describeCode } from './amop-error.js';
export type { Payload } from './arguments.js';
export type { AmopClient, CallOptions, ClientCounters, MulticastReceipt, Reply, ServerInfo } from './client.js';
export { connect } from './connect.js';
export type { Handler, HandlerResult, Message } from './inbox.js';
export type { ConnectOptions, Pem } from './options.js';
