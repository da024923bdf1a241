import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { formatDemoConfig } from '../../../src/cli/demo/demo-config.js';
import { createDemoPki, type DemoPki } from '../../../src/pki/demo.js';
import { Amop, amop, isBuilt } from './run-amop.js';

let directory: string;
let pki: DemoPki;
const running: Amop[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'amop-relay-command-'));
  pki = createDemoPki(join(directory, 'certs'), { now: new Date() });
});
afterAll(() => rm(directory, { recursive: true, force: true }));
afterEach(async () => {
  for (const run of running.splice(0)) run.child.kill('SIGKILL');
});

async function configFile(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

function goodConfig(port = 0): string {
  const relay = pki.files.secp256k1['bank-a'].relay;
  const p2p = { port: 0, ...relay };
  return formatDemoConfig({ host: '127.0.0.1', adminPort: 0, listeners: [{ port, ...relay }], p2p, dials: [] });
}

async function startRelay(...args: string[]): Promise<Amop> {
  const run = new Amop(['relay', '--config', await configFile('good.toml', goodConfig()), ...args]);
  running.push(run);
  await run.says(/"relay ready"/);
  return run;
}

describe.runIf(isBuilt)('amop relay', () => {
  it('says in one JSON line where it listens', async () => {
    const run = await startRelay();
    const line = run.stdout.split('\n').find((one) => one.includes('"relay ready"')) ?? '';
    expect(JSON.parse(line)).toMatchObject({
      msg: 'relay ready',
      component: 'relay',
      listeners: [{ ip: '127.0.0.1', port: expect.any(Number), kind: 'secp256k1' }],
      p2p: { ip: '127.0.0.1', port: expect.any(Number), nodeId: expect.stringMatching(/^[0-9a-f]{128}$/) },
      admin: { ip: '127.0.0.1', port: expect.any(Number) },
    });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s', async (signal) => {
    const run = await startRelay();
    run.child.kill(signal);
    expect((await run.end()).code).toBe(0);
  });

  it('ends with 0 when standard input ends, if told to', async () => {
    const run = await startRelay('--stop-on-stdin-end');
    run.child.stdin?.end();
    expect((await run.end()).code).toBe(0);
  });

  it('stays up without standard input otherwise', async () => {
    const run = await startRelay();
    run.child.stdin?.end();
    run.child.kill('SIGTERM');
    const { code, stdout } = await run.end();
    expect(code).toBe(0);
    expect(stdout).toContain('"why":"SIGTERM"');
  });

  it('names a configuration file that is not there and ends with 2', async () => {
    const { code, stderr } = await amop(['relay', '--config', join(directory, 'missing.toml')]);
    expect(code).toBe(2);
    expect(stderr).toContain('missing.toml');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('names every problem of a configuration at once and ends with 2', async () => {
    const text = `${goodConfig()}\n[limits]\nsessions_max = "many"\nidle_timeout = 3\n`;
    const { code, stderr } = await amop(['relay', '--config', await configFile('bad.toml', text)]);
    expect(code).toBe(2);
    expect(stderr).toContain('limits.sessions_max');
    expect(stderr).toContain('idle_timeout_ms');
  });

  it('names a certificate that cannot be read and ends with 2', async () => {
    const text = goodConfig().replace('relay.crt', 'nowhere.crt');
    const { code, stderr } = await amop(['relay', '--config', await configFile('no-cert.toml', text)]);
    expect(code).toBe(2);
    expect(stderr).toContain('nowhere.crt');
  });

  it('names a taken port in one line and ends with 1', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      const { code, stderr } = await amop(['relay', '--config', await configFile('taken.toml', goodConfig(port))]);
      expect(code).toBe(1);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stderr).toContain(`127.0.0.1:${port}`);
    } finally {
      other.close();
    }
  });
});
