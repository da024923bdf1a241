import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Credentials, relayCredentials, testPki, writeCerts } from '../../helpers/pki.js';
import { type Script, type ScriptedRelay, startScriptedRelay } from '../../helpers/scripted-relay.js';
import { TYPE } from '../../helpers/wire.js';
import { amop, amopOnTerminal, isBuilt } from './run-amop.js';

let directory: string;
let certs: string;
let rsaCerts: string;
let relayPems: Credentials;
let env: NodeJS.ProcessEnv;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const pki = await testPki();
  directory = await mkdtemp(join(tmpdir(), 'amop-context-'));
  certs = await writeCerts(join(directory, 'conf'), pki.sdkB.secp256k1);
  rsaCerts = await writeCerts(join(directory, 'rsa'), pki.sdkA.rsa);
  relayPems = await relayCredentials(pki, 'secp256k1');
});
beforeEach(async () => {
  env = { XDG_CONFIG_HOME: await mkdtemp(join(directory, 'config-')) };
});
afterAll(() => rm(directory, { recursive: true, force: true }));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const run = (args: readonly string[], more: NodeJS.ProcessEnv = {}) => amop(args, '', { ...env, ...more });
const file = () => join(env.XDG_CONFIG_HOME ?? '', 'amop', 'contexts.json');

/** A relay that answers every request with this word. */
async function relayOf(word: string): Promise<ScriptedRelay> {
  const script: Script = {
    onFrame: (frame, peer) => {
      if (frame.type !== TYPE.unicast) return false;
      peer.send(TYPE.response, frame.seq, 0, Buffer.concat([Buffer.from([1]), Buffer.from(word)]));
      return true;
    },
  };
  const relay = await startScriptedRelay(relayPems, script);
  cleanups.push(() => relay.stop());
  return relay;
}

describe.runIf(isBuilt)('amop context', () => {
  it('keeps relays and files under a name, readable by the owner alone, and no key', async () => {
    const added = await run(['context', 'add', 'bank-a', '--certs', certs, '--relay', 'a.example:1,[::1]:2']);
    expect(added).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringContaining(`kept in ${file()} and selected`),
    });
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect((await stat(join(file(), '..'))).mode & 0o777).toBe(0o700);
    const text = await readFile(file(), 'utf8');
    expect(JSON.parse(text)).toEqual({
      version: 1,
      selected: 'bank-a',
      contexts: {
        'bank-a': {
          relays: ['a.example:1', '[::1]:2'],
          ca: join(certs, 'ca.crt'),
          cert: join(certs, 'sdk.crt'),
          key: join(certs, 'sdk.key'),
        },
      },
    });
    expect(text).not.toContain('PRIVATE KEY');
  });

  it('lists, shows, selects and removes', async () => {
    await run(['context', 'add', 'bank-a', '--certs', certs]);
    await run(['context', 'add', 'bank-b', '--certs', rsaCerts, '--relay', 'b.example']);
    expect((await run(['context', 'list'])).stdout).toBe('* bank-a  127.0.0.1:20200\n  bank-b  b.example:20200\n');
    expect((await run(['ctx', 'ls', '--names'])).stdout).toBe('bank-a\nbank-b\n');
    const json = (await run(['context', 'list', '--json'])).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(json.map(({ name, selected }) => [name, selected])).toEqual([
      ['bank-a', true],
      ['bank-b', false],
    ]);
    const shown = (await run(['context', 'show', 'bank-b'])).stdout;
    expect(shown).toContain('b.example:20200');
    expect(shown).toMatch(/certificate +CN=sdkA.*, rsa, until 20\d\d-/);
    expect((await run(['context', 'select', 'bank-b'])).code).toBe(0);
    expect((await run(['context', 'show'])).stdout).toMatch(/^bank-b \(selected\)\n/);
    expect((await run(['context', 'rm', 'bank-b'])).code).toBe(0);
    expect((await run(['context', 'list'])).stdout).toBe('  bank-a  127.0.0.1:20200\n');
    expect(await run(['context', 'show'])).toMatchObject({
      code: 2,
      stderr: 'amop: no context is selected; name one\n',
    });
  });

  it('shows what is wrong with files that have changed since', async () => {
    const folder = await writeCerts(join(directory, 'changing'), (await testPki()).sdkB.secp256k1);
    await run(['context', 'add', 'x', '--certs', folder]);
    await rm(join(folder, 'sdk.key'));
    const { code, stdout } = await run(['context', 'show', 'x']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/problem +key file .*sdk\.key does not exist/);
  });

  it.each([
    [['add', 'a/b', '--certs', 'CERTS'], 'is no name'],
    [['add', 'x'], 'which certificate?'],
    [['add', 'x', '--certs', '/nowhere'], '/nowhere/'],
    [['add', 'x', '--certs', 'CERTS', '--relay', 'a:b'], 'host:port'],
    [['select', 'nobody'], 'no context "nobody"; there is none yet'],
    [['remove', '__proto__'], 'no context "__proto__"'],
    [['nonsense'], 'unknown command'],
  ])('ends with 2 for %j', async (args, words) => {
    const { code, stderr } = await run(['context', ...args.map((word) => word.replace('CERTS', certs))]);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });

  it('replaces a context only with --force', async () => {
    await run(['context', 'add', 'x', '--certs', certs]);
    expect((await run(['context', 'add', 'x', '--certs', certs])).stderr).toContain('replace it with --force');
    expect((await run(['context', 'add', 'x', '--certs', certs, '--relay', 'b', '--force'])).code).toBe(0);
    expect((await run(['context', 'list'])).stdout).toContain('b:20200');
  });

  it.each([
    ['no JSON', 'nonsense', 'not valid JSON'],
    ['another version', '{"version":9,"contexts":{}}', 'version is not 1'],
    [
      'a relative path',
      '{"version":1,"contexts":{"x":{"relays":["a"],"ca":"x","cert":"/x","key":"/x"}}}',
      'x.ca is no absolute path',
    ],
    ['a bad relay', '{"version":1,"contexts":{"x":{"relays":["a:b"],"ca":"/x","cert":"/x","key":"/x"}}}', 'host:port'],
    ['a selection of nothing', '{"version":1,"selected":"y","contexts":{}}', 'selected is none'],
  ])('names a file with %s and the way out', async (_name, text, words) => {
    await mkdir(join(file(), '..'), { recursive: true });
    await writeFile(file(), text);
    const { code, stderr } = await run(['context', 'list']);
    expect(code).toBe(2);
    expect(stderr).toContain(file());
    expect(stderr).toContain(words);
    expect(stderr).toContain('remove it and add your contexts again');
  });

  it('says that it cannot write', async () => {
    const blocked = join(directory, 'blocked');
    await writeFile(blocked, '');
    const { code, stderr } = await run(['context', 'add', 'x', '--certs', certs], { XDG_CONFIG_HOME: blocked });
    expect(code).toBe(2);
    expect(stderr).toMatch(/contexts file .* cannot be (read|written)/);
  });

  it('repairs a mode that others could read with', async () => {
    await run(['context', 'add', 'x', '--certs', certs]);
    await chmod(file(), 0o644);
    await run(['context', 'add', 'y', '--certs', certs]);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
  });

  it('follows XDG_CONFIG_HOME, else ~/.config, and ignores a relative one', async () => {
    const home = await mkdtemp(join(directory, 'home-'));
    for (const XDG_CONFIG_HOME of ['', 'relative']) {
      await amop(['context', 'add', 'x', '--certs', certs, '--force'], '', { XDG_CONFIG_HOME, HOME: home });
      expect((await stat(join(home, '.config', 'amop', 'contexts.json'))).isFile()).toBe(true);
      await rm(join(home, '.config'), { recursive: true });
    }
  });
});

describe.runIf(isBuilt)('a context', () => {
  const who = async (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    (await run(['request', 't', 'x', '--quiet', ...args], more)).stdout.trim();

  it('is used when it is named, in the environment or by selection; options win', async () => {
    const [first, second, third] = [await relayOf('first'), await relayOf('second'), await relayOf('third')];
    await run(['context', 'add', 'one', '--certs', certs, '--relay', first.address]);
    await run(['context', 'add', 'two', '--certs', certs, '--relay', second.address]);
    expect(await who([])).toBe('first');
    expect(await who(['--context', 'two'])).toBe('second');
    expect(await who([], { AMOP_CONTEXT: 'two' })).toBe('second');
    expect(await who(['--context', 'one'], { AMOP_CONTEXT: 'two' })).toBe('first');
    expect(await who(['--context', 'two', '--relay', third.address])).toBe('third');
    expect(await who(['--port', String(third.port)])).toBe('third');
  });

  it('that is named on the command line is not mixed with the environment', async () => {
    const [first, second] = [await relayOf('first'), await relayOf('second')];
    await run(['context', 'add', 'one', '--certs', certs, '--relay', first.address]);
    const environment = { AMOP_RELAY: second.address, AMOP_CERTS: rsaCerts };
    expect(await who(['--context', 'one'], environment)).toBe('first');
    expect(await who([], { ...environment, AMOP_CERTS: certs })).toBe('second');
  });

  it('that is only selected is left alone when certificates are given', async () => {
    const [first, second] = [await relayOf('first'), await relayOf('second')];
    await run(['context', 'add', 'one', '--certs', rsaCerts, '--relay', first.address]);
    expect(await who(['--certs', certs, '--relay', second.address])).toBe('second');
    // The relay is then the usual one, whatever it says.
    expect(await who(['--certs', certs, '--connect-timeout', '2s', '--timeout', '2s'])).not.toBe('first');
  });

  it('that does not exist is named with those that do', async () => {
    await run(['context', 'add', 'one', '--certs', certs]);
    const { code, stderr } = await run(['request', 't', 'x', '--context', 'tow']);
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'amop: no context "tow"; there are one\n' });
  });
});

describe.runIf(isBuilt)('colours', () => {
  const onTerminal = (verb: string, more: NodeJS.ProcessEnv) =>
    amopOnTerminal([verb, '--certs', certs], { ...env, TERM: 'xterm', ...more });

  it('are for a terminal, and not where NO_COLOR is set', async () => {
    expect(await onTerminal('sub', {})).toContain('\u001b[31mamop:\u001b[39m which topic?');
    expect(await onTerminal('sub', { NO_COLOR: '1' })).toContain('amop: which topic?');
    expect(await onTerminal('sub', { NO_COLOR: '1' })).not.toContain('\u001b[');
    expect((await run(['sub', '--certs', certs])).stderr).toBe('amop: which topic? name one or more\n');
  });
});
