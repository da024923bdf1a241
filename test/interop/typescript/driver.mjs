// Drives our own client; see ../driver.ts for the protocol. The only file here that knows the client's API.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { connect } = await import(pathToFileURL(process.argv[2]).href);

const REDIAL_MS = 200;
const REQUEST_TIMEOUT_MS = 15_000;

const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const handlers = new Map();
const senders = new Map();
let options;
let label = '';
let client;
let messages = 0;

// The client does not reconnect by itself: as its documents say, connect and subscribe again when it is closed.
async function keepConnected(connected) {
  client = connected;
  await client.closed;
  client = undefined;
  for (;;) {
    try {
      const next = await connect(options);
      for (const [topic, handler] of handlers) await next.subscribe(topic, handler);
      return keepConnected(next);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
    }
  }
}

const requireClient = () => {
  if (client === undefined) throw new Error('not connected');
  return client;
};

// Answers every message with the label and what came.
const handlerOf =
  (topic) =>
  ({ payload }) => {
    messages++;
    write({ event: 'message', topic, payload: payload.toString('base64') });
    return Buffer.concat([Buffer.from(`${label}:`), payload]);
  };

const senderOf = (topic) => {
  const sender = senders.get(topic);
  if (sender === undefined) throw new Error(`no sender of the private topic ${topic}`);
  return sender;
};

const commands = {
  async connect({ peer, certificates, label: name }) {
    const [host, port] = peer.split(':');
    const file = (path) => readFileSync(join(certificates, path));
    options = { host, port: Number(port), key: file('sdk.key'), cert: file('sdk.crt'), ca: file('ca.crt') };
    label = name;
    keepConnected(await connect(options));
    return { sdk: 'amop-relay/client' };
  },
  async subscribe({ topic }) {
    const handler = handlerOf(topic);
    await requireClient().subscribe(topic, handler);
    handlers.set(topic, handler);
  },
  async unsubscribe({ topic }) {
    handlers.delete(topic);
    await requireClient().unsubscribe(topic);
  },
  async unicast({ topic, payload }) {
    const bytes = Buffer.from(payload, 'base64');
    const reply = await requireClient().request(topic, bytes, { timeoutMs: REQUEST_TIMEOUT_MS });
    return { payload: reply.payload.toString('base64') };
  },
  async multicast({ topic, payload }) {
    await requireClient().multicast(topic, Buffer.from(payload, 'base64'));
  },
  async subscribePrivate({ topic, keyFile }) {
    await requireClient().subscribePrivate(topic, readFileSync(keyFile), handlerOf(topic));
  },
  async unsubscribePrivate({ topic }) {
    await requireClient().unsubscribePrivate(topic);
  },
  async publishPrivate({ topic, publicKeyFiles }) {
    const keys = publicKeyFiles.map((file) => readFileSync(file));
    senders.set(topic, await requireClient().publishPrivate(topic, keys));
  },
  async unpublishPrivate({ topic }) {
    await senderOf(topic).close();
  },
  async unicastPrivate({ topic, payload }) {
    const bytes = Buffer.from(payload, 'base64');
    const reply = await senderOf(topic).request(bytes, { timeoutMs: REQUEST_TIMEOUT_MS });
    return { payload: reply.payload.toString('base64') };
  },
  async multicastPrivate({ topic, payload }) {
    await senderOf(topic).multicast(Buffer.from(payload, 'base64'));
  },
  async status() {
    return { sdk: 'amop-relay/client', messages };
  },
};

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const request = JSON.parse(line);
  try {
    const run = commands[request.command];
    if (run === undefined) throw new Error(`no such command: ${request.command}`);
    write({ id: request.id, ok: true, ...(await run(request)) });
  } catch (error) {
    write({ id: request.id, ok: false, code: error.code, error: error.message });
  }
});
lines.on('close', () => process.exit());
