import { describe, expect, it } from 'vitest';
import {
  isChallengeTopicOf,
  isPrivateTopic,
  isReservedForSending,
  PRIVATE_NAME_BYTES_MAX,
  parsePrivateTopic,
  topicFault,
} from '../../../../src/wire/channel/topic.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
const HEX = '0123456789abcdef0123456789abcdef';
const N = '#!$TopicNeedVerify_ab';

describe('topic rules', () => {
  it('refuse every control character and nothing else', () => {
    for (let byte = 0; byte < 256; byte++) {
      const expected = byte < 0x20 || byte === 0x7f ? 'control-character' : undefined;
      expect(topicFault(Buffer.from([0x61, byte, 0x62]))).toBe(expected);
    }
  });

  it('take 0 to 254 bytes', () => {
    expect(topicFault(Buffer.alloc(0))).toBeUndefined();
    expect(topicFault(Buffer.alloc(254, 0x61))).toBeUndefined();
    expect(topicFault(Buffer.alloc(255, 0x61))).toBe('too-long');
  });

  it.each([
    ['_block_notify_1', true, true],
    ['_block_notify_', true, true],
    ['_block_notify', false, false],
    [`#!$PushChannel_${N}`, true, true],
    [`#!$VerifyChannel_${N}_${HEX}`, false, true],
    [N, false, false],
    ['x_block_notify_1', false, false],
    ['', false, false],
  ])('reserve %s: unicast %s, multicast %s', (topic, unicast, multicast) => {
    expect(isReservedForSending(bytes(topic), 0x30)).toBe(unicast);
    expect(isReservedForSending(bytes(topic), 0x35)).toBe(multicast);
  });

  it('call private what starts with #!$', () => {
    expect([N, '#!$', '#!', 'a#!$', ''].map((topic) => isPrivateTopic(bytes(topic)))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('names of private topics', () => {
  it('are read by their role', () => {
    const parts = { messageTopic: N, name: 'ab' };
    expect(parsePrivateTopic(N)).toEqual({ kind: 'message', ...parts });
    expect(parsePrivateTopic(`#!$PushChannel_${N}`)).toEqual({ kind: 'push', ...parts });
    expect(parsePrivateTopic(`#!$VerifyChannel_${N}_${HEX}`)).toEqual({ kind: 'challenge', ...parts });
  });

  it.each([
    'ab',
    '#!$Other_ab',
    '#!$PushChannel_ab',
    `#!$VerifyChannel_ab_${HEX}`,
    `#!$VerifyChannel_${N}`,
    `#!$VerifyChannel_${N}_${HEX.slice(1)}`,
    `#!$VerifyChannel_${N}_${HEX}0`.replace('_0123', '-0123'),
    `#!$VerifyChannel_${N}_${HEX.replace('a', 'g')}`,
    `#!$VerifyChannel_${HEX}`,
  ])('are not seen in %s', (topic) => expect(parsePrivateTopic(topic)).toBeUndefined());

  it('match a challenge topic only with exactly its message topic', () => {
    const challenge = `#!$VerifyChannel_#!$TopicNeedVerify_abC_${HEX}`;
    expect(isChallengeTopicOf(challenge, '#!$TopicNeedVerify_abC')).toBe(true);
    expect(isChallengeTopicOf(challenge, N)).toBe(false);
    expect(isChallengeTopicOf(N, N)).toBe(false);
    // A name may itself end like a challenge topic.
    const nested = `${N}_${HEX}`;
    expect(isChallengeTopicOf(`#!$VerifyChannel_${nested}_${HEX}`, nested)).toBe(true);
    expect(isChallengeTopicOf(`#!$VerifyChannel_${nested}_${HEX}`, N)).toBe(false);
  });

  it('leave 185 bytes for the plain name', () => {
    expect(PRIVATE_NAME_BYTES_MAX).toBe(185);
    const name = 'x'.repeat(185);
    expect(topicFault(bytes(`#!$VerifyChannel_#!$TopicNeedVerify_${name}_${HEX}`))).toBeUndefined();
    expect(topicFault(bytes(`#!$VerifyChannel_#!$TopicNeedVerify_${name}x_${HEX}`))).toBe('too-long');
  });
});
