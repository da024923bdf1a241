/** The configuration read anew by a running relay: what it takes over, what it closes, and what it refuses. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../helpers/deadline.js';
import { P2PPki } from '../helpers/p2p/p2p-pki.js';
import { startMesh } from '../helpers/p2p/relays.js';
import { DIST_DIR } from '../helpers/pki.js';
import { type RelayProcess, startRelay } from '../helpers/relay-process.js';
import { edit, forgetErrors, hangUp } from '../helpers/reload.js';

const CLOSED_WITHIN_MS = 1_000;

const reloads = async (relay: RelayProcess) => {
  const metrics = await relay.metrics();
  return ['succeeded', 'failed'].map((result) => metrics.value('amop_config_reloads_total', { result }));
};

async function amop(...args: string[]) {
  const run = promisify(execFile);
  try {
    const { stdout, stderr } = await run(process.execPath, [join(DIST_DIR, 'cli/main.js'), ...args]);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe('SIGHUP', () => {
  it('closes within 1 s who is not allowed any more, and nobody else', async () => {
    const relay = await startRelay();
    const pki = await P2PPki.create();
    onTestFinished(() => pki.remove());
    const [stays, goes] = [pki.sdk('app-a'), pki.sdk('app-b')];
    const oldChain = await relay.subscriber(['reload-topic']);
    const otherKind = await relay.subscriber(['of-rsa'], { kind: 'rsa' });

    // The listener of secp256k1 moves to another chain.
    const at = (name: string) => join(relay.pki.dir, 'secp256k1', name);
    const { files } = pki.node('relay', 'A');
    await edit(relay, (toml) =>
      toml.replace(at('relay.key'), files.key).replace(at('relay.crt'), files.cert).replace(at('ca.crt'), files.ca),
    );
    let startMs = performance.now();
    expect(await hangUp(relay)).toMatchObject({ msg: 'configuration reloaded', closed: 1 });
    await until(() => oldChain.isClosed, 'the session of the old chain to be closed', CLOSED_WITHIN_MS);
    expect(performance.now() - startMs).toBeLessThan(CLOSED_WITHIN_MS);
    await relay.waitForMetric('amop_connections_closed_total', { reason: 'untrusted-certificate' }, 1);
    await expect(relay.connect()).rejects.toThrow();

    const first = await relay.subscriber(['reload-topic'], { credentials: stays });
    first.answerWithEcho();
    const second = await relay.connect({ credentials: goes });
    const crl = pki.crlFile(goes);
    await edit(relay, (toml) => toml.replace(`ca_cert = "${files.ca}"`, `ca_cert = "${files.ca}"\ncrl = "${crl}"`));
    startMs = performance.now();
    expect(await hangUp(relay)).toMatchObject({ closed: 1 });
    await until(() => second.isClosed, 'the revoked session to be closed', CLOSED_WITHIN_MS);
    expect(performance.now() - startMs).toBeLessThan(CLOSED_WITHIN_MS);
    await relay.waitForMetric('amop_connections_closed_total', { reason: 'revoked-certificate' }, 1);
    await relay.connect({ credentials: goes }).then(
      (client) => until(() => client.isClosed, 'the revoked certificate to be refused'),
      () => {},
    );
    const sender = await relay.connect({ kind: 'rsa' });
    expect((await sender.request('reload-topic', 'hi')).body.toString()).toContain('echo:hi');
    expect([first.isClosed, otherKind.isClosed]).toEqual([false, false]);
    expect(await reloads(relay)).toEqual([2, 0]);
  });

  it('shows a new certificate to who connects then, without closing anybody', async () => {
    const relay = await startRelay();
    const before = await relay.subscriber(['old-session']);
    before.answerWithEcho();
    // An application trusts one chain only; that it verifies the new leaf shows that it was sent.
    const shown: string[] = [];
    const connect = () =>
      relay.connect({ tls: { checkServerIdentity: (_, certificate) => void shown.push(certificate.fingerprint256) } });
    await connect();
    const files = { key: join(relay.dir, 'new.key'), cert: join(relay.dir, 'new.crt') };
    await writeFile(files.key, relay.pki.sdkB.secp256k1.key, { mode: 0o600 });
    await writeFile(files.cert, relay.pki.sdkB.secp256k1.cert);
    const at = (name: string) => join(relay.pki.dir, 'secp256k1', name);
    await edit(relay, (toml) => toml.replace(at('relay.key'), files.key).replace(at('relay.crt'), files.cert));
    expect(await hangUp(relay)).toMatchObject({ msg: 'configuration reloaded', closed: 0 });
    const after = await connect();
    expect(shown).toHaveLength(2);
    expect(shown[1]).not.toBe(shown[0]);
    expect((await after.request('old-session', 'x')).result).toBe(0);
    expect(before.isClosed).toBe(false);
  });

  it('takes over limits and the log level', async () => {
    const relay = await startRelay({ limits: { subscriber_timeout_ms: 20_000 }, logLevel: 'info' });
    const subscriber = await relay.subscriber(['silent']);
    const sender = await relay.connect();
    await edit(relay, (toml) =>
      toml.replace('subscriber_timeout_ms = 20000', 'subscriber_timeout_ms = 200').replace('"info"', '"debug"'),
    );
    await hangUp(relay);
    const startMs = performance.now();
    expect((await sender.request('silent')).result).not.toBe(0);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(subscriber.isClosed).toBe(false);
    await relay.subscriber(['another']);
    await relay.waitForLog(({ level }) => level === 'debug', 'a line of the new level');
  });

  it('keeps everything when the new configuration has a mistake, and says which', async () => {
    const relay = await startRelay({ limits: { subscriber_timeout_ms: 500 } });
    const subscriber = await relay.subscriber(['kept']);
    subscriber.answerWithEcho();
    const good = await readFile(join(relay.dir, 'relay.toml'), 'utf8');
    const mistakes: [string, RegExp][] = [
      [good.replace('subscriber_timeout_ms', 'subscriber_timeout'), /subscriber_timeout/],
      [good.replace('relay.crt', 'gone.crt'), /gone\.crt/],
      [`${good}\nnot toml`, /not valid TOML/],
      ['', /rpc/],
    ];
    for (const [toml, problem] of mistakes) {
      await writeFile(join(relay.dir, 'relay.toml'), toml);
      const line = await hangUp(relay);
      expect(line.problem, toml.slice(-40)).toMatch(problem);
    }
    expect(await reloads(relay)).toEqual([0, mistakes.length]);
    const sender = await relay.connect();
    expect((await sender.request('kept', 'x')).result).toBe(0);
    await writeFile(join(relay.dir, 'relay.toml'), good);
    expect(await hangUp(relay)).toMatchObject({ msg: 'configuration reloaded' });
    expect(await reloads(relay)).toEqual([1, mistakes.length]);
    forgetErrors(relay);
  });

  it('is done after the start when it comes within it', async () => {
    // The warning about these limits is the first thing a relay says.
    const limits = { pending_max: 512, session_pending_max: 1_024 };
    const relay = await startRelay({ limits, signalAtFirstLine: 'SIGHUP' });
    await relay.waitForLog(({ msg }) => msg === 'configuration reloaded', 'the end of the reload');
    expect(relay.logs[0].msg).toBe('configuration warning');
    expect(await reloads(relay)).toEqual([1, 0]);
  });

  it('names the keys whose change needs a restart', async () => {
    const relay = await startRelay({ extraToml: '[chain]\nid = "1"' });
    await edit(relay, (toml) => toml.replace('id = "1"', 'id = "2"'));
    await hangUp(relay);
    const line = await relay.waitForLog(({ msg }) => msg.startsWith('these keys have changed'), 'the warning');
    expect(line.kept).toEqual(['chain']);
  });
});

describe('SIGHUP on a relay with peers', () => {
  it('closes the link to a revoked peer within 1 s and to a blacklisted one, and lets them back in', async () => {
    const mesh = await startMesh();
    const [first, second] = mesh.relays;
    const closed = (reason: string) => first.process.waitForMetric('amop_p2p_connections_closed_total', { reason }, 1);
    const good = await readFile(join(first.process.dir, 'relay.toml'), 'utf8');

    const crl = mesh.pki.crlFile(second.credentials);
    await edit(first.process, (toml) => toml.replace('[p2p]', `[p2p]\ncrl = ${JSON.stringify(crl)}`));
    const startMs = performance.now();
    expect(await hangUp(first.process)).toMatchObject({ closed: 1 });
    await first.waitForPeers(0, CLOSED_WITHIN_MS);
    expect(performance.now() - startMs).toBeLessThan(CLOSED_WITHIN_MS);
    await closed('revoked-certificate');

    await writeFile(join(first.process.dir, 'relay.toml'), good);
    await hangUp(first.process);
    await first.waitForPeers(1, 20_000);

    await writeFile(
      join(first.process.dir, 'relay.toml'),
      `${good}\n[certificate_blacklist]\nids = ["${second.nodeId}"]\n`,
    );
    await hangUp(first.process);
    await first.waitForPeers(0, CLOSED_WITHIN_MS);
    await closed('blacklisted');
  }, 40_000);

  it('dials a node that was added, and no longer one that was removed', async () => {
    const mesh = await startMesh();
    const [first, second] = mesh.relays;
    const { port } = mesh.proxies[0];
    const address = `"127.0.0.1:${port}"`;
    await edit(second.process, (toml) => toml.replace(`nodes = [${address}]`, 'nodes = []'));
    await hangUp(second.process);
    await mesh.linked();
    const endpoints = async () =>
      (JSON.parse((await second.process.http('/peers')).text) as { endpoints: unknown[] }).endpoints.length;
    expect(await endpoints()).toBe(0);
    mesh.proxies[0].cut();
    await Promise.all([first.waitForPeers(0), second.waitForPeers(0)]);

    mesh.proxies[0].open();
    await edit(second.process, (toml) => toml.replace('nodes = []', `nodes = [${address}]`));
    await hangUp(second.process);
    expect(await endpoints()).toBe(1);
    await mesh.linked(20_000);
  }, 40_000);

  it('does not become another node', async () => {
    const mesh = await startMesh();
    const [first, second] = mesh.relays;
    const { key, cert } = first.credentials.files;
    const other = mesh.pki.node('another', 'A').files;
    await edit(first.process, (toml) => toml.replace(key, other.key).replace(cert, other.cert));
    expect((await hangUp(first.process)).problem).toMatch(/would be another node; that needs a restart/);
    forgetErrors(first.process);
    await second.waitForPeers(1);
  });
});

describe('amop reload and amop drain', () => {
  it('say how a relay without a token gets one', async () => {
    const running = await startRelay();
    const admin = `http://127.0.0.1:${running.adminPort}`;
    const without = await amop('reload', '--admin', admin);
    expect(without.code).not.toBe(0);
    expect(without.stderr).toContain('set admin.token_file in the configuration of the relay');
  });

  it('reload and drain a relay with a token', async () => {
    const running = await startRelay({ tokenFile: 'admin.token' });
    const admin = `http://127.0.0.1:${running.adminPort}`;
    const token = join(running.dir, 'admin.token');
    const withToken = ['--admin', admin, '--token-file', token];
    expect((await amop('reload', '--admin', admin)).stderr).toMatch(/needs the token in admin\.token_file/);
    const done = await amop('reload', ...withToken);
    expect([done.code, done.stdout]).toEqual([
      0,
      'configuration reloaded; 0 connections closed that are not allowed any more\n',
    ]);
    const json = await amop('reload', '--json', ...withToken);
    expect(JSON.parse(json.stdout)).toEqual({ ok: true, kept: [], closed: 0 });

    await edit(running, (toml) => toml.replace('[log]', '[log]\nlevle = "info"'));
    const refused = await amop('reload', ...withToken);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/levle/);
    forgetErrors(running);

    const untrusted = await amop('drain', '--json', '--admin', admin);
    expect([untrusted.code, JSON.parse(untrusted.stderr)]).toMatchObject([
      2,
      { error: { code: 'usage' }, exitCode: 2 },
    ]);
    const drained = await amop('drain', '--json', ...withToken);
    expect([drained.code, drained.stdout]).toEqual([0, '{"ok":true}\n']);
    running.expectExit();
    expect(await running.waitForExit()).toEqual({ code: 0, signal: null });
  });
});
