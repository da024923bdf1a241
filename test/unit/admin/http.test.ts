import { once } from 'node:events';
import { existsSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Health, HealthReport } from '../../../src/admin/health.js';
import { type AdminAddress, type AdminServer, createAdminServer } from '../../../src/admin/http.js';
import { loadUws } from '../../../src/admin/uws-loader.js';
import { type LogFields, type Logger, silentLogger } from '../../../src/base/logger.js';

const OK: HealthReport = { status: 'ok', reasons: [] };
const DRAINING: HealthReport = { status: 'unavailable', reasons: [{ code: 'draining', message: 'soon gone' }] };

interface Sources {
  live?: HealthReport;
  ready?: HealthReport;
  render?: () => Promise<string>;
  reload?: () => Promise<{ readonly ok: boolean }>;
  drain?: () => void;
  token?: string;
}

const open: { server: AdminServer; sockets: Socket[] }[] = [];
afterEach(async () => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await server.stop();
  }
});

function makeServer(
  forced: 'node:http' | undefined,
  sources: Sources,
  port = 0,
  ip = '127.0.0.1',
  logger = silentLogger,
) {
  const health: Health = { live: () => sources.live ?? OK, ready: () => sources.ready ?? OK };
  const metrics = { contentType: 'text/plain; version=0.0.4', render: sources.render ?? (async () => 'up 1\n') };
  const options = {
    listen_ip: ip,
    listen_port: port,
    metrics,
    health,
    peers: () => ({ peers: [] }),
    privates: () => [],
    reload: sources.reload ?? (async () => ({ ok: true })),
    drain: sources.drain ?? (() => {}),
    token: sources.token,
  };
  return createAdminServer(forced === undefined ? options : { ...options, implementation: forced }, logger);
}

async function startServer(forced: 'node:http' | undefined, sources: Sources = {}, port = 0, ip = '127.0.0.1') {
  const server = makeServer(forced, sources, port, ip);
  const entry = { server, sockets: [] as Socket[] };
  const address = await server.start();
  open.push(entry);
  return { server, address, dial: (text: string) => dial(address, entry.sockets, text) };
}

/** A raw connection that has sent `text`. */
async function dial(address: AdminAddress, sockets: Socket[], text: string): Promise<Socket> {
  const socket = connect(address.port, address.ip);
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

async function received(socket: Socket, pattern: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (pattern.test(text)) break;
  }
  return text;
}

const get = (address: AdminAddress, path: string, init?: RequestInit) =>
  fetch(`http://${address.ip}:${address.port}${path}`, init);

describe('the choice of the HTTP server', () => {
  const binary = fileURLToPath(
    new URL(
      `../../../node_modules/uWebSockets.js/binaries/uws_${process.platform}_${process.arch}_${process.versions.modules}.node`,
      import.meta.url,
    ),
  );

  it('is uWebSockets.js on Node 20 (the last with a binary) and node:http on every later one', async () => {
    const lines: LogFields[] = [];
    const logger: Logger = { enabled: () => true, log: (_level, fields) => void lines.push(fields) };
    const server = makeServer(undefined, {}, 0, '127.0.0.1', logger);
    const { implementation } = await server.start();
    await server.stop();
    if (process.platform === 'linux' && process.arch === 'x64') {
      expect(existsSync(binary)).toBe(process.versions.node.startsWith('20.'));
    }
    expect(implementation).toBe(existsSync(binary) ? 'uWebSockets.js' : 'node:http');
    expect(lines).toEqual(
      existsSync(binary)
        ? []
        : [{ component: 'admin', why: expect.stringContaining(`ABI ${process.versions.modules}`) }],
    );
  });
});

describe.each([
  ...(loadUws().ok ? [{ name: 'uWebSockets.js', forced: undefined }] : []),
  { name: 'node:http', forced: 'node:http' as const },
])('the admin plane on $name', ({ name, forced }) => {
  it('says where it listens and what it runs on', async () => {
    const { address } = await startServer(forced);
    expect(address).toEqual({ ip: '127.0.0.1', port: expect.any(Number), implementation: name });
    expect(address.port).toBeGreaterThan(0);
  });

  it('answers the metrics as they are', async () => {
    const text = `# HELP x y\n${'x{a="ü"} 1\n'.repeat(20_000)}`;
    const { address } = await startServer(forced, { render: async () => text });
    const response = await get(address, '/metrics?x=1');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.text()).toBe(text);
  });

  it('answers health with its reasons, 503 when unavailable', async () => {
    const { address } = await startServer(forced, { ready: DRAINING });
    const live = await get(address, '/healthz');
    expect(live.status).toBe(200);
    expect(live.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await live.json()).toEqual(OK);
    const ready = await get(address, '/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual(DRAINING);
  });

  it('answers /peers with what the control thread knows', async () => {
    const { address } = await startServer(forced);
    const response = await get(address, '/peers');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(await response.json()).toEqual({ peers: [] });
  });

  it('answers 404 to other paths and 405 to other methods', async () => {
    const { address } = await startServer(forced);
    for (const path of ['/', '/metrics/', '/constructor', '/healthz/x', '/%2e']) {
      const response = await get(address, path);
      expect(response.status, path).toBe(404);
      expect(await response.json()).toEqual({
        error: 'not found',
        paths: ['/metrics', '/healthz', '/readyz', '/peers', '/private', '/reload', '/drain'],
      });
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
      const response = await get(address, '/metrics', { method });
      expect(response.status, method).toBe(405);
      expect(response.headers.get('allow')).toBe('GET');
      const text = await response.text();
      if (method !== 'HEAD') expect(JSON.parse(text)).toEqual({ error: '/metrics answers GET only' });
    }
  });

  it('changes the relay only for who shows the token', async () => {
    const token = 'a-token-of-32-chars-0123456789ab';
    let drains = 0;
    const outcomes = [{ ok: true }, { ok: false, problem: 'limits.x: unknown key' }];
    const { address } = await startServer(forced, {
      token,
      reload: async () => outcomes.shift() ?? { ok: true },
      drain: () => void drains++,
    });
    const post = (path: string, authorization?: string) =>
      get(address, path, { method: 'POST', headers: authorization === undefined ? {} : { authorization } });
    for (const wrong of [undefined, '', 'Bearer', `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`]) {
      for (const path of ['/reload', '/drain']) {
        const response = await post(path, wrong);
        expect([response.status, response.headers.get('www-authenticate')], `${wrong}`).toEqual([401, 'Bearer']);
        expect(await response.json()).toEqual({ error: `${path} needs the token in admin.token_file` });
      }
    }
    expect([drains, outcomes.length]).toEqual([0, 2]);
    const taken = await post('/reload', `Bearer ${token}`);
    expect([taken.status, await taken.json()]).toEqual([200, { ok: true }]);
    const refused = await post('/reload', `Bearer ${token}`);
    expect([refused.status, await refused.json()]).toEqual([422, { ok: false, problem: 'limits.x: unknown key' }]);
    expect((await post('/drain', `Bearer ${token}`)).status).toBe(202);
    expect(drains).toBe(1);
    expect((await get(address, '/reload')).status).toBe(405);
    expect((await get(address, '/peers')).status).toBe(200);
  });

  it('says how to get a token where there is none', async () => {
    const { address } = await startServer(forced);
    const response = await get(address, '/reload', { method: 'POST' });
    expect([response.status, await response.json()]).toEqual([
      403,
      { error: '/reload needs a token: set admin.token_file in the configuration of the relay' },
    ]);
  });

  it('shows nothing but health without the token where other machines reach it', async () => {
    const token = 'a-token-of-32-chars-0123456789ab';
    const { address } = await startServer(forced, { token }, 0, '0.0.0.0');
    const local = { ...address, ip: '127.0.0.1' };
    for (const path of ['/metrics', '/peers', '/private']) {
      expect((await get(local, path)).status, path).toBe(401);
      expect((await get(local, path, { headers: { authorization: `Bearer ${token}` } })).status, path).toBe(200);
    }
    for (const path of ['/healthz', '/readyz']) expect((await get(local, path)).status, path).toBe(200);
  });

  it('sends no body with the refusal of HEAD', async () => {
    const { dial } = await startServer(forced);
    const text = await received(await dial('HEAD /metrics HTTP/1.1\r\nhost: a\r\n\r\n'), /(?!)/);
    expect(text).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n/);
    expect(text.endsWith('\r\n\r\n')).toBe(true);
  });

  it('does not wait for the body of a request that it refuses', async () => {
    const { dial } = await startServer(forced);
    const socket = await dial('POST /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n');
    expect(await received(socket, /GET only/)).toContain('405 Method Not Allowed');
  });

  it('answers 500 when a source fails, and logs why', async () => {
    const lines: unknown[] = [];
    const logger: Logger = { enabled: () => true, log: (...line) => void lines.push(line) };
    const server = makeServer(forced, { render: () => Promise.reject(new Error('no shard')) }, 0, '127.0.0.1', logger);
    open.push({ server, sockets: [] });
    const address = await server.start();
    const response = await get(address, '/metrics');
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: 'internal error, see the log of the relay' });
    expect(lines).toContainEqual([
      'error',
      { component: 'admin', path: '/metrics', error: 'no shard' },
      'admin request failed',
    ]);
  });

  it('bounds the answers under way', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let rendering = 0;
    const { address } = await startServer(forced, {
      render: async () => {
        rendering++;
        await gate;
        return 'late 1\n';
      },
    });
    const responses = Array.from({ length: 70 }, () =>
      get(address, '/metrics').then(async (response) => {
        if (response.status === 503) release();
        return `${response.status} ${await response.text()}`;
      }),
    );
    const texts = await Promise.all(responses);
    expect(texts.filter((text) => text === '200 late 1\n').length).toBe(rendering);
    expect(rendering).toBeGreaterThanOrEqual(64);
    expect(texts.filter((text) => text.startsWith('503')).length).toBe(70 - rendering);
  });

  it('goes on when clients leave before their answer', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let asked = () => {};
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { address, dial } = await startServer(forced, {
      render: async () => {
        asked();
        await gate;
        return 'late 1\n';
      },
    });
    const socket = await dial('GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n');
    await arrived;
    socket.resetAndDestroy();
    expect((await get(address, '/healthz')).status).toBe(200);
    release();
    expect(await (await get(address, '/metrics')).text()).toBe('late 1\n');
  });

  it('survives garbage, huge headers and requests sent all at once', async () => {
    const { address, dial } = await startServer(forced);
    const line = 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n';
    await dial('\0\0\0\x2a garbage\r\n\r\n');
    await dial(`GET /healthz HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(1_000_000)}`);
    await dial(`GET /healthz HTTP/1.1\r\nhost: a\r\n${'x: y\r\n'.repeat(5_000)}\r\n`);
    await dial(line.repeat(500));
    await dial('GET /metr');
    for (let n = 0; n < 5; n++) expect((await get(address, '/healthz')).status).toBe(200);
  });

  it('serves many requests on one connection', async () => {
    const { address } = await startServer(forced);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    for (let n = 0; n < 20; n++) {
      const request = http.get({ host: address.ip, port: address.port, path: '/metrics', agent });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      sockets.add(request.socket);
      let text = '';
      for await (const chunk of response) text += chunk;
      expect(text).toBe('up 1\n');
    }
    agent.destroy();
    expect(sockets.size).toBe(1);
  });

  it('refuses a taken port with one clear line', async () => {
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(makeServer(forced, {}, port).start()).rejects.toMatchObject({
      code: 'admin-unavailable',
      message: `cannot listen on 127.0.0.1:${port} for [admin]: the port is taken; end the other program or set admin.listen_port to another port, 0 for a free one`,
    });
    other.close();
  });

  it('refuses the port of another admin plane, which goes on', async () => {
    const finder = await startServer(forced);
    await finder.server.stop();
    const { address } = await startServer(forced, {}, finder.address.port);
    await expect(makeServer(forced, {}, address.port).start()).rejects.toMatchObject({ code: 'admin-unavailable' });
    expect((await get(address, '/healthz')).status).toBe(200);
  });

  it('refuses an address that is not of this machine', async () => {
    await expect(makeServer(forced, {}, 0, '192.0.2.1').start()).rejects.toMatchObject({
      code: 'admin-unavailable',
      message: expect.stringContaining('192.0.2.1:0 for [admin]: this machine has no such address'),
    });
  });

  it('stops with idle connections and answers under way', async () => {
    let asked = () => {};
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { server, address, dial } = await startServer(forced, {
      render: () => {
        asked();
        return new Promise(() => {});
      },
    });
    const idle = await dial('');
    const waiting = await dial('GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n');
    await arrived;
    const closed = Promise.all([idle, waiting].map((socket) => once(socket.resume(), 'close')));
    await server.stop();
    await server.stop();
    await closed;
    await expect(get(address, '/healthz')).rejects.toThrow();
  });

  it('can take its port again at once after it closed connections itself', async () => {
    const { server: finder, address } = await startServer(forced);
    await finder.stop();
    for (let n = 0; n < 2; n++) {
      const { server, dial } = await startServer(forced, {}, address.port);
      const idle = await dial('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n');
      await once(idle, 'data');
      const closed = once(idle, 'close');
      await server.stop();
      await closed;
    }
  });
});
