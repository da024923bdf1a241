// One mutual-TLS 1.2 connection with the frames of a 2.x port, of either kind: both begin with their whole length as u32.
// Written from the protocol alone, so that a bench shares no code with the relay that it measures.
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { withTimeout } from './deadline.mjs';

const CONNECT_TIMEOUT_MS = 10_000;
const LENGTH_BYTES = 4;
/** The benches send and expect small frames only; another length means that the stream is not understood. */
const FRAME_BYTES_MAX = 1 << 20;

/** A TLS socket to a port on this machine, before its handshake. `identity`: paths `key`, `cert` and `caCert`. */
export function dialRelay(port, identity) {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    key: readFileSync(identity.key),
    cert: readFileSync(identity.cert),
    ca: readFileSync(identity.caCert),
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    ecdhCurve: 'P-256:secp256k1',
    // Peers are known by their chain, not by a host name.
    checkServerIdentity: () => undefined,
  });
  // node:tls calls the former on every dialled connection, and Node 24 and 26 crash in it on a secp256k1 certificate.
  socket.getPeerCertificate = () => socket.getPeerX509Certificate();
  socket.setNoDelay(true);
  return socket;
}

/**
 * Connects and finishes the handshake. `identity`: paths `key`, `cert` and `caCert`; `onFrame(frame, link)` gets a view of
 * each frame.
 * @returns `{send, close, failed}`; `failed` rejects when the connection ends or breaks before `close`
 */
export async function openFrameLink({ port, identity, what, onFrame }) {
  const socket = dialRelay(port, identity);
  let closing = false;
  const failed = new Promise((_, reject) => {
    let problem = 'the relay closed the connection';
    socket.on('error', (error) => {
      problem = error.message;
    });
    socket.on('close', () => {
      if (!closing) reject(new Error(`${what}: ${problem}`));
    });
  });
  // Whoever waits for something races it against this; without anybody waiting it is no failure of the process.
  failed.catch(() => {});
  const connected = new Promise((done) => {
    socket.once('secureConnect', done);
  });
  await withTimeout(
    Promise.race([connected, failed]),
    CONNECT_TIMEOUT_MS,
    () => new Error(`${what}: no connection after ${CONNECT_TIMEOUT_MS / 1000} s`),
  );
  const link = {
    failed,
    send: (frame) => socket.write(frame),
    close: () => {
      closing = true;
      socket.destroy();
    },
  };
  const onFault = () => socket.destroy(new Error('a frame of a false length'));
  socket.on(
    'data',
    frameTaker((frame) => onFrame(frame, link), onFault),
  );
  return link;
}

function frameTaker(onFrame, onFault) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(0);
      if (length < LENGTH_BYTES || length > FRAME_BYTES_MAX) {
        onFault();
        return;
      }
      if (bytes.length < length) break;
      onFrame(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
    rest = bytes;
  };
}
