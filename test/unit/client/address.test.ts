import { describe, expect, it } from 'vitest';
import { formatRelayAddress, parseRelayAddress } from '../../../src/client/address.js';

describe('parseRelayAddress', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1', 20200],
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['relay-1.bank_a.example:65535', 'relay-1.bank_a.example', 65535],
    ['localhost', 'localhost', 20200],
    ['::1', '::1', 20200],
    ['[::1]', '::1', 20200],
    ['[2001:db8::7]:20300', '2001:db8::7', 20300],
    ['[fe80::1%eth0]:20200', 'fe80::1%eth0', 20200],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1', 20200],
  ])('reads %s', (text, host, port) => {
    expect(parseRelayAddress(text, 20200)).toEqual({ host, port });
  });

  it.each([
    '',
    ':',
    ':20200',
    'a:',
    'a:b',
    'a:0',
    'a:65536',
    'a b',
    'a/b:1',
    'https://relay:20200',
    '[::1',
    '[::1]:',
    '[relay]:1',
    'a:1:2:z',
  ])('refuses %j and shows the forms', (text) => {
    expect(() => parseRelayAddress(text, 20200)).toThrow(/host:port.*\[::1\]:20200/);
  });

  it('writes what it reads', () => {
    for (const text of ['127.0.0.1:1', '[::1]:20200', 'relay.example:20200']) {
      expect(formatRelayAddress(parseRelayAddress(text, 1))).toBe(text);
    }
  });
});
