/** Asks a port that does not speak TLS what it speaks, so that the error can say it. */
import net from 'node:net';
import type { RelayAddress } from './address.js';
import { describeForeignBytes } from './foreign-bytes.js';

/** A service that answers at all answers a line of HTTP within this; it only delays an error message. */
const PROBE_MS = 1_000;

/** The first words of an answer tell. */
const ANSWER_BYTES_MAX = 64;

/** In words, or undefined when the answer says nothing. Never rejects. */
export function probePort({ host, port }: RelayAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    let answer = Buffer.alloc(0);
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(describeForeignBytes(answer));
    };
    const timer = setTimeout(finish, PROBE_MS);
    socket.on('connect', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
    socket.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk.subarray(0, ANSWER_BYTES_MAX - answer.length)]);
      if (answer.length >= ANSWER_BYTES_MAX || describeForeignBytes(answer) !== undefined) finish();
    });
    socket.on('error', finish);
    socket.on('close', finish);
  });
}
