import { describe, expect, it } from 'vitest';
import { formatProblems, parseConfig } from '../../../src/config/index.js';

const LISTENER = '[[rpc.listener]]\nkey = "k"\ncert = "c"\nca_cert = "a"\n';
const HEX = '0f'.repeat(64);

function topic(lines: string) {
  return parseConfig(`${LISTENER}[[private_topic]]\nname = "t"\n${lines}`, '/etc/amop');
}

function problems(lines: string): string[] {
  const result = topic(lines);
  return result.ok ? [] : formatProblems(result.problems, 'f').split('\n');
}

describe('a private topic that the relay speaks for', () => {
  it('has keys, and the sessions that may use them', () => {
    const result = topic(`public_keys = ["${HEX}", "k.pem"]\nsessions = ["bank/app"]`);
    expect(result.ok && result.config.private_topic).toEqual([
      { name: 't', public_keys: [HEX, '/etc/amop/k.pem'], sessions: ['bank/app'] },
    ]);
    expect(problems('private_key = "k.pem"\npassword_file = "p"\nsessions = ["bank/app"]')).toEqual([]);
  });

  it.each([
    [
      'keys without sessions',
      `public_keys = ["${HEX}"]`,
      /private_topic\[0\]\.public_keys: needs sessions: which may use/,
    ],
    ['a private key without sessions', 'private_key = "k"', /private_topic\[0\]\.private_key: needs sessions/],
    ['sessions without keys', 'sessions = ["a/b"]', /sessions: says who may use a key, and neither public_keys nor/],
    [
      'senders beside keys',
      'private_key = "k"\nsessions = ["a/b"]\nsenders = ["a/b"]',
      /senders: is for topics that SDKs/,
    ],
    ['a password without a key', 'password_file = "p"', /password_file: is for private_key, which is not given/],
    ['a bare name', 'private_key = "k"\nsessions = ["app"]', /"app" names no session/],
    ['no keys', 'public_keys = []\nsessions = ["a/b"]', /public_keys/],
    ['its name twice', '[[private_topic]]\nname = "t"', /"t" is named twice; private_topic\[0\] has it/],
  ])('is refused with %s', (_what, lines, problem) => {
    expect(problems(lines).join('\n')).toMatch(problem);
  });
});
