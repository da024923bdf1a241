import { describe, expect, it } from 'vitest';
import { formatNodeAddress, parseNodeAddress } from '../../../src/config/index.js';

describe('the address of a node', () => {
  it.each([
    ['127.0.0.1:30300', '127.0.0.1', 30300],
    ['relay.bank-b.example:1', 'relay.bank-b.example', 1],
    ['amop_relay_1:65535', 'amop_relay_1', 65535],
    ['Node:30300', 'Node', 30300],
    ['3com.example:30300', '3com.example', 30300],
    ['xn--bcher-kva.example.:30300', 'xn--bcher-kva.example.', 30300],
    [`${'a'.repeat(63)}:30300`, 'a'.repeat(63), 30300],
    ['[::1]:30300', '::1', 30300],
    ['[fd00::ffff:10.0.0.1]:30300', 'fd00::ffff:10.0.0.1', 30300],
    ['[fe80::1%eth0]:30300', 'fe80::1%eth0', 30300],
  ])('%s is understood and written back', (text, host, port) => {
    expect(parseNodeAddress(text)).toEqual({ host, port });
    expect(formatNodeAddress({ host, port })).toBe(text);
  });

  it.each([
    ['10.0.0.1', 'has no port; nodes use 30300'],
    ['10.0.0.1:', 'has no port; nodes use 30300'],
    ['[::1]', 'has no port; nodes use 30300'],
    ['10.0.0.1:0', 'no port from 1 to 65535'],
    ['10.0.0.1:65536', 'no port from 1 to 65535'],
    ['10.0.0.1:030300', 'no port from 1 to 65535'],
    ['10.0.0.1:+80', 'no port from 1 to 65535'],
    ['10.0.0.1:1e3', 'no port from 1 to 65535'],
    ['10.0.0.1:٣', 'no port from 1 to 65535'],
    ['::1:30300', 'an IPv6 address stands in brackets'],
    ['[10.0.0.1]:30300', 'has no IPv6 address in the brackets'],
    ['[]:30300', 'has no IPv6 address in the brackets'],
    ['[::1]30300', 'several colons'],
    [':30300', 'has no host'],
    ['', 'has no host'],
    ['10.0.0.256:30300', 'has no IPv4 address'],
    ['010.0.0.1:30300', 'has no IPv4 address'],
    ['10.1:30300', 'has no IPv4 address'],
    ['tcp://relay:30300', 'without scheme, path and blanks'],
    [' relay:30300', 'without scheme, path and blanks'],
    ['relay:30300\n', 'without scheme, path and blanks'],
    ['bücher.example:30300', 'xn--'],
    ['-a.example:30300', 'no valid host name'],
    ['a..example:30300', 'no valid host name'],
    ['.:30300', 'no valid host name'],
    ['a*b:30300', 'no valid host name'],
    [`${'a'.repeat(64)}:30300`, 'no valid host name'],
    [`${'a.'.repeat(127)}a:30300`, 'no valid host name'],
  ])('%j is refused with the reason', (text, reason) => {
    expect(parseNodeAddress(text)).toEqual({ problem: expect.stringContaining(reason) });
  });
});
