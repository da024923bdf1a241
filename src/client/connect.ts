import { CONNECT_GRACE_MS, TIMER_MS_MAX } from './bounds.js';
import { AmopClient } from './client.js';
import { clientIdentity } from './credentials.js';
import { type ConnectOptions, resolveOptions } from './options.js';

/**
 * Makes a client and resolves when the first of its relays is connected; the others follow. With `lazy` it resolves at once.
 *
 * @throws TypeError, RangeError wrong options
 * @throws RelayError `certificate-invalid` or `key-invalid`: our own certificate or key cannot work
 * @throws AmopError 99: no relay is reachable, takes our certificate and is a channel port, or none within `connectTimeoutMs`
 */
export async function connect(options: ConnectOptions): Promise<AmopClient> {
  const resolved = resolveOptions(options);
  const client = new AmopClient(clientIdentity(resolved, new Date()), resolved);
  if (resolved.lazy) return client;
  try {
    await client.firstConnection(Math.min(resolved.connectTimeoutMs + CONNECT_GRACE_MS, TIMER_MS_MAX));
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}
