import { createServer } from 'node:net';

/** Resolves with the first port of the list that cannot be listened on, and why (`EADDRINUSE`, `EACCES`). */
export async function findUnavailablePort(
  host: string,
  ports: readonly number[],
): Promise<{ readonly port: number; readonly code: string } | undefined> {
  for (const port of ports) {
    const code = await tryPort(host, port);
    if (code !== undefined) return { port, code };
  }
  return undefined;
}

function tryPort(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown error'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
