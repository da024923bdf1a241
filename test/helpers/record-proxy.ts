/**
 * A TCP proxy that reads TLS record headers and forwards the bytes untouched. It cannot decrypt, but the cipher suite
 * tells how many bytes of a record are plaintext, and the client behind it knows the length of each frame it got: the
 * two lists together say which record carried bytes of which frame.
 */
import net from 'node:net';

const RECORD_HEADER_BYTES = 5;
const CHANGE_CIPHER_SPEC = 20;
const APPLICATION_DATA = 23;

/** Lengths on the wire of the application-data records of one direction, in order. */
class RecordMeter {
  readonly lengths: number[] = [];
  private pending: Buffer = Buffer.alloc(0);
  private skip = 0;
  private encrypted = false;

  push(chunk: Buffer): void {
    let offset = Math.min(this.skip, chunk.length);
    this.skip -= offset;
    if (offset === chunk.length) return;
    const bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    while (bytes.length - offset >= RECORD_HEADER_BYTES) {
      const type = bytes[offset];
      const length = bytes.readUInt16BE(offset + 3);
      if (type === CHANGE_CIPHER_SPEC) this.encrypted = true;
      else if (type === APPLICATION_DATA && this.encrypted) this.lengths.push(length);
      offset += RECORD_HEADER_BYTES + length;
    }
    this.pending = offset < bytes.length ? bytes.subarray(offset) : Buffer.alloc(0);
    if (offset > bytes.length) this.skip = offset - bytes.length;
  }
}

export interface ProxiedConnection {
  readonly toClient: RecordMeter;
  readonly toServer: RecordMeter;
}

export class RecordProxy {
  readonly connections: ProxiedConnection[] = [];
  private readonly sockets = new Set<net.Socket>();
  private readonly server: net.Server;

  private constructor(targetPort: number) {
    this.server = net.createServer((client) => {
      const upstream = net.connect({ host: '127.0.0.1', port: targetPort, noDelay: true });
      client.setNoDelay(true);
      const connection = { toClient: new RecordMeter(), toServer: new RecordMeter() };
      this.connections.push(connection);
      join(client, upstream, connection.toServer);
      join(upstream, client, connection.toClient);
      for (const socket of [client, upstream]) {
        this.sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          this.sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
      }
    });
  }

  static async start(targetPort: number): Promise<RecordProxy> {
    const proxy = new RecordProxy(targetPort);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

function join(from: net.Socket, to: net.Socket, meter: RecordMeter): void {
  from.on('data', (chunk) => {
    meter.push(chunk);
    if (!to.write(chunk)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  });
  from.on('end', () => to.end());
}

/** Bytes that a TLS 1.2 record carries beside its plaintext. */
export function recordOverheadBytes(cipherName: string): number {
  if (cipherName.includes('GCM')) return 8 + 16; // explicit nonce, tag
  if (cipherName.includes('CHACHA20')) return 16; // tag
  throw new Error(`the overhead of ${cipherName} is not known`);
}

export interface RecordUse {
  /** Records that carry bytes of two or more frames. */
  readonly joined: number;
  /** Frames of up to 16,384 bytes that needed more than one record. */
  readonly splitSmall: number;
  /** Frames whose first 4 bytes lie in two records. */
  readonly splitLength: number;
  /** Frames above 16,384 bytes in more records than they need. */
  readonly splitOften: number;
}

const RECORD_PLAINTEXT_BYTES_MAX = 16_384;

/** Lays the records over the frames. Both lists must cover the same bytes. */
export function recordUse(
  recordLengths: readonly number[],
  overheadBytes: number,
  frameLengths: readonly number[],
): RecordUse {
  const use = { joined: 0, splitSmall: 0, splitLength: 0, splitOften: 0 };
  const recordEnds: number[] = [];
  let total = 0;
  for (const length of recordLengths) {
    total += length - overheadBytes;
    recordEnds.push(total);
  }
  const frameTotal = frameLengths.reduce((sum, length) => sum + length, 0);
  if (frameTotal !== total) throw new Error(`${total} bytes in records but ${frameTotal} bytes in frames`);

  let start = 0;
  let record = 0;
  let lastJoined = -1;
  for (const length of frameLengths) {
    const end = start + length;
    while (recordEnds[record] <= start) record++;
    const recordStart = record === 0 ? 0 : recordEnds[record - 1];
    if (recordStart < start && lastJoined !== record) {
      use.joined++;
      lastJoined = record;
    }
    if (recordEnds[record] < start + 4) use.splitLength++;
    let last = record;
    while (recordEnds[last] < end) last++;
    const count = last - record + 1;
    if (length <= RECORD_PLAINTEXT_BYTES_MAX && count > 1) use.splitSmall++;
    if (length > RECORD_PLAINTEXT_BYTES_MAX && count > Math.ceil(length / RECORD_PLAINTEXT_BYTES_MAX)) use.splitOften++;
    start = end;
  }
  return use;
}
