import { describe, expect, it } from 'vitest';
import { formatProblems, parseConfig } from '../../../src/config/index.js';

/** Four lines: what a test adds stands from line 5 on. */
const LISTENER = '[[rpc.listener]]\nkey = "k"\ncert = "c"\nca_cert = "a"\n';
const DIGEST = 'aB'.repeat(32);

function config(text: string) {
  const result = parseConfig(LISTENER + text, '/etc/amop');
  if (!result.ok) throw new Error(formatProblems(result.problems, 'relay.toml'));
  return result.config;
}

function problems(text: string): string[] {
  const result = parseConfig(LISTENER + text, '/etc/amop');
  return result.ok ? [] : formatProblems(result.problems, 'f').split('\n');
}

describe('[private_topics]', () => {
  it('certifies everybody for ten minutes unless it says otherwise', () => {
    expect(config('').private_topics).toEqual({ certify_local: true, certification_seconds: 600 });
    expect(config('[private_topics]\ncertify_local = false\ncertification_seconds = 86400').private_topics).toEqual({
      certify_local: false,
      certification_seconds: 86_400,
    });
    expect(config('[private_topics]\ncertification_seconds = 10').private_topics.certification_seconds).toBe(10);
  });

  it.each(['9', '86401', '0', '-1', '10.5', '"600"', 'true'])('lasts no %s seconds', (seconds) => {
    const [problem, ...more] = problems(`[private_topics]\ncertification_seconds = ${seconds}`);
    expect([problem, more]).toEqual([expect.stringContaining('f:6: private_topics.certification_seconds: '), []]);
  });

  it('knows no other keys, and finds every wrong one', () => {
    const found = problems('[private_topics]\ncertify_local = 1\ncertify_locally = true\ncertification_seconds = 5');
    expect(found.map((line) => line.split(': ').slice(0, 2).join(': '))).toEqual([
      'f:6: private_topics.certify_local',
      'f:7: private_topics.certify_locally',
      'f:8: private_topics.certification_seconds',
    ]);
    expect(found[1]).toContain('certify_local');
  });
});

describe('[[private_topic]]', () => {
  const topic = (name: string, senders = '') => `[[private_topic]]\nname = ${JSON.stringify(name)}\n${senders}\n`;

  it('is none unless it stands there, and may name its senders', () => {
    expect(config('').private_topic).toEqual([]);
    expect(config(topic('a') + topic('主题', `senders = ["${DIGEST}", "bank/sdk", "bank/a/b"]`)).private_topic).toEqual(
      [{ name: 'a' }, { name: '主题', senders: [DIGEST, 'bank/sdk', 'bank/a/b'] }],
    );
  });

  it('has the plain name of a topic, of 1 to 185 bytes', () => {
    expect(config(topic('x'.repeat(185))).private_topic).toHaveLength(1);
    const wrong = (name: string) =>
      problems(topic(name)).map((line) => line.replace('f:6: private_topic[0].name: ', ''));
    expect(wrong('')).toEqual(['must not be empty']);
    expect(wrong('x'.repeat(186))).toEqual(['has 186 bytes; a private topic has at most 185 bytes of UTF-8']);
    expect(wrong('题'.repeat(62))).toEqual(['has 186 bytes; a private topic has at most 185 bytes of UTF-8']);
    expect(wrong('#!$TopicNeedVerify_a')).toEqual(['is the plain name of the topic, without "#!$TopicNeedVerify_"']);
    for (const name of ['a\\tb', 'a\\nb', '\\u007f']) {
      expect(problems(`[[private_topic]]\nname = "${name}"`)).toEqual([
        'f:6: private_topic[0].name: has a control character, which no topic may have',
      ]);
    }
    expect(problems('[[private_topic]]\nsenders = ["a/b"]')).toEqual([
      'f:5: private_topic[0].name: is missing; it has no default',
    ]);
  });

  it('names senders so that no other agency can issue the same name', () => {
    const wrong = (sender: string) => problems(topic('a', `senders = ["bank/sdk", ${JSON.stringify(sender)}]`));
    for (const sender of ['sdk', '/sdk', 'bank/', '', DIGEST.slice(1), `${DIGEST}0`]) {
      expect(wrong(sender)).toEqual([
        `f:7: private_topic[0].senders[1]: ${JSON.stringify(sender.slice(0, 80))} names no session: write the SHA-256 of its ` +
          'certificate (64 hex digits, in the line "session opened" of the log), or "organisation/CN"; a CN alone could be ' +
          'issued by another agency',
      ]);
    }
    expect(wrong('x'.repeat(1_000))[0].length).toBeLessThan(400);
  });

  it('does not name senders whose agency is not known, which could be anybody', () => {
    expect(problems(topic('a', 'senders = ["unknown/sdk"]'))).toEqual([
      'f:7: private_topic[0].senders[0]: "unknown/sdk" names sessions whose agency the relay does not know, so any agency ' +
        'could issue them; put the certificate of the agency into ca_cert, or write the SHA-256 of theirs',
    ]);
  });

  it('names some senders if it names any, and no more than 1,024', () => {
    expect(problems(topic('a', 'senders = []'))).toHaveLength(1);
    const many = (count: number) => `senders = [${Array.from({ length: count }, (_, n) => `"bank/${n}"`).join(', ')}]`;
    expect(problems(topic('a', many(1_024)))).toEqual([]);
    expect(problems(topic('a', many(1_025)))).toHaveLength(1);
    expect(problems(topic('a', 'senders = "bank/sdk"'))).toHaveLength(1);
    expect(problems(topic('a', 'senders = [1]'))).toHaveLength(1);
  });

  it('stands once for each name', () => {
    const twice = topic('a', 'senders = ["bank/sdk"]') + topic('b') + topic('a', 'senders = ["other/sdk"]');
    expect(problems(twice)).toEqual(['f:12: private_topic[2].name: "a" is named twice; private_topic[0] has it']);
  });

  it('stands at most 1,024 times', () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => topic(`t${n}`)).join('');
    expect(problems(many(1_024))).toEqual([]);
    expect(problems(many(1_025))).toHaveLength(1);
  });

  it('is a table of its own for each topic', () => {
    expect(problems('[private_topic]\nname = "a"')).toHaveLength(1);
    expect(problems(topic('a', 'keys = ["x"]'))).toEqual([expect.stringContaining('f:7: private_topic[0].keys: ')]);
  });
});
