import { describe, expect, it } from 'vitest';
import { formatProblems, parseConfig } from '../../../src/config/index.js';

const LISTENER = '[[rpc.listener]]\nkey = "k"\ncert = "c"\nca_cert = "a"\n';

function config(text: string) {
  const result = parseConfig(LISTENER + text, '/etc/amop');
  if (!result.ok) throw new Error(formatProblems(result.problems, 'relay.toml'));
  return result.config;
}

function problems(text: string): string[] {
  const result = parseConfig(LISTENER + text, '/etc/amop');
  return result.ok ? [] : formatProblems(result.problems, 'f').split('\n');
}

const topic = (name: string) => `[[flow_control.topic]]\nname = ${JSON.stringify(name)}\nbandwidth_limit = 1\n`;
const organisation = (name: string) => `[[organisation]]\nname = ${JSON.stringify(name)}\nissuers = ["ca.crt"]\n`;

describe('bandwidth limits', () => {
  it('are decimal Mbit/s, absent where nothing is said', () => {
    expect(
      config(
        `[flow_control]\nsession_bandwidth_limit = 2\norganisation_bandwidth_limit = 0.001\n${topic('a')}${topic('名')}`,
      ).flow_control,
    ).toEqual({
      session_bandwidth_limit: 2,
      organisation_bandwidth_limit: 0.001,
      topic: [
        { name: 'a', bandwidth_limit: 1 },
        { name: '名', bandwidth_limit: 1 },
      ],
    });
    expect(
      config('[network_security]\nkey="k"\ncert="c"\nca_cert="a"\n[flow_control]\noutgoing_bandwidth_limit = 1.5'),
    ).toMatchObject({ flow_control: { outgoing_bandwidth_limit: 1.5 } });
  });

  it('are above 0, finite and numbers', () => {
    const refused = (value: string) => problems(`[flow_control]\ntopic_bandwidth_limit = ${value}`);
    const key = 'f:6: flow_control.topic_bandwidth_limit:';
    expect(refused('0')).toEqual([`${key} must be at least 0.001, not 0`]);
    expect(refused('-1.5')).toEqual([`${key} must be at least 0.001, not -1.5`]);
    expect(refused('1000001')).toEqual([`${key} must be at most 1000000, not 1000001`]);
    expect(refused('inf')).toEqual([`${key} must be a decimal number, not Infinity`]);
    expect(refused('nan')).toEqual([`${key} must be a decimal number, not NaN`]);
    expect(refused('"5 Mbit"')).toEqual([`${key} must be a decimal number, not "5 Mbit"`]);
  });

  it('of a topic name one topic, once', () => {
    expect(problems(topic('a') + topic('b') + topic('a'))).toEqual([
      'f:12: flow_control.topic[2].name: "a" is named twice; flow_control.topic[0] has it',
    ]);
    expect(problems('[[flow_control.topic]]\nname = "a"')).toEqual([
      'f:5: flow_control.topic[0].bandwidth_limit: is missing; it has no default',
    ]);
    expect(problems('[flow_control.topic]\nname = "a"')).toEqual([
      'f:5: flow_control.topic: must be a list of tables, [[flow_control.topic]] in double brackets, not a table',
    ]);
  });

  it('of a topic have a name of 1 to 254 bytes that an application can use', () => {
    expect(problems(topic('x'.repeat(254)))).toEqual([]);
    expect(problems(topic('名'.repeat(85)))).toEqual([
      'f:6: flow_control.topic[0].name: has 255 bytes; a topic has at most 254 bytes of UTF-8',
    ]);
    expect(problems(topic(''))).toEqual(['f:6: flow_control.topic[0].name: must not be empty']);
    expect(problems(topic('a\tb'))).toEqual([expect.stringContaining('has a control character')]);
    expect(problems('[[flow_control.topic]]\nname = "a\\u007f"\nbandwidth_limit = 1')).toHaveLength(1);
  });
});

describe('organisations', () => {
  it('have a name of their own and at least one issuer', () => {
    expect(problems(organisation('a') + organisation('b') + organisation('a'))).toEqual([
      'f:12: organisation[2].name: "a" is named twice; organisation[0] has it',
    ]);
    expect(problems('[[organisation]]\nname = ""\nissuers = []')).toEqual([
      'f:6: organisation[0].name: must not be empty',
      'f:7: organisation[0].issuers: must not be an empty list',
    ]);
    expect(problems('[[organisation]]\nname = "a\\nb"\nissuers = "ca.crt"')).toEqual([
      'f:6: organisation[0].name: has a control character; it stands in logs and metrics',
      'f:7: organisation[0].issuers: must be a list, [...], not "ca.crt"',
    ]);
    expect(problems(`[organisation]\nname = "a"`)).toEqual([
      'f:5: organisation: must be a list of tables, [[organisation]] in double brackets, not a table',
    ]);
  });

  it('are at most 64, with at most 64 issuers each', () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => organisation(`o${index}`)).join('');
    expect(problems(many(64))).toEqual([]);
    expect(problems(many(65))).toEqual(['f:5: organisation: may have at most 64 entries']);
    const issuers = (count: number) => `[[organisation]]\nname = "o"\nissuers = [${Array(count).fill('"ca"')}]`;
    expect(problems(issuers(64))).toEqual([]);
    expect(problems(issuers(65))).toEqual(['f:7: organisation[0].issuers: may have at most 64 entries']);
  });
});
