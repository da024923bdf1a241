// One relay, or two that are linked over their P2P ports.
import { delay } from './deadline.mjs';
import { startRelay } from './relay-process.mjs';

const LINK_TIMEOUT_MS = 10_000;
const LINK_POLL_MS = 20;

/**
 * Starts `count` relays, 1 or 2, and waits until they are linked. Publishers connect to the first and subscribers to the
 * last; the last dials the first.
 * @returns `{all, publishers, subscribers, stop, nextTopic}`; `nextTopic()` names a topic of ten bytes that no earlier run
 *   on these relays had, so that no run meets routes of the one before
 */
export async function startRelays({ count, node, dist, files, directory }) {
  const all = [];
  for (let index = 0; index < count; index++) {
    const dials = count === 1 ? undefined : all.map(({ p2pPort }) => p2pPort);
    all.push(await startRelay({ node, dist, name: `relay-${index}`, identity: files.relays[index], directory, dials }));
  }
  await Promise.all(all.map((relay) => waitForPeers(relay, count - 1)));
  let topics = 0;
  return {
    all,
    publishers: all[0],
    subscribers: all[count - 1],
    nextTopic: () => `bench${String(topics++).padStart(5, '0')}`,
    stop: async () => {
      for (const relay of all) await relay.stop();
    },
  };
}

/** Waits until the relay routes over links to `count` peers. */
export async function waitForPeers(relay, count) {
  const until = performance.now() + LINK_TIMEOUT_MS;
  for (;;) {
    const active = await activePeers(relay);
    if (active === count) return;
    if (performance.now() > until) {
      throw new Error(`a relay has ${active} peers after ${LINK_TIMEOUT_MS / 1000} s instead of ${count}`);
    }
    await delay(LINK_POLL_MS);
  }
}

async function activePeers({ adminPort }) {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  const line = /^amop_peers\{state="active"\} (\d+)$/m.exec(await response.text());
  return line === null ? 0 : Number(line[1]);
}
