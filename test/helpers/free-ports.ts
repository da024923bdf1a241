/**
 * Ports for programs whose configuration must name them before they run. They lie below the range from which the system
 * takes ports of its own, so that no connection of another test gets one of them between the search and the use.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Five digits, as most ports of the documents have, so that columns keep their width. */
const FIRST = 12_000;
const COUNT = 20_000;
const TRIES = 1_000;

export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; tries < TRIES && found.size < count; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await canListen(port)) found.add(port);
  }
  if (found.size < count) throw new Error(`there are no ${count} free ports from ${FIRST} on`);
  return [...found];
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true });
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
