import { describe, expect, it } from 'vitest';
import { FrameWriter } from '../../../src/transport/frame-writer.js';

type Written = (error?: Error | null) => void;

/** Keeps what was written and in which state of Nagle's algorithm; a write ends when the test says so. */
class ScriptedSocket {
  readonly writes: { readonly text: string; readonly sendsAtOnce: boolean }[] = [];
  private sendsAtOnce = true;
  private pending: Written | undefined;

  write = (chunk: unknown, written: unknown): boolean => {
    if (this.pending !== undefined) throw new Error('two writes in the socket');
    this.writes.push({ text: String(chunk), sendsAtOnce: this.sendsAtOnce });
    this.pending = written as Written;
    return true;
  };

  setNoDelay = (on?: boolean): never => {
    this.sendsAtOnce = on ?? true;
    return undefined as never;
  };

  get texts(): string[] {
    return this.writes.map(({ text }) => text);
  }

  /** Numbers of the writes that TCP may keep back. */
  get collected(): number[] {
    return this.writes.flatMap(({ sendsAtOnce }, index) => (sendsAtOnce ? [] : [index]));
  }

  finishWrite(): boolean {
    const written = this.pending;
    this.pending = undefined;
    written?.();
    return written !== undefined;
  }

  finishAll(): void {
    while (this.finishWrite());
  }
}

function createWriter() {
  const socket = new ScriptedSocket();
  const queue = { bytes: 0, emptied: 0 };
  const writer = new FrameWriter(socket, {
    onQueueBytes: (delta) => {
      queue.bytes += delta;
    },
    onProgress: () => {},
    onEmpty: () => {
      queue.emptied++;
    },
  });
  const enqueue = (...frames: string[]) => {
    for (const frame of frames) writer.enqueue(Buffer.from(frame));
  };
  return { socket, writer, queue, enqueue };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `frame ${index}`);

describe('strict writing', () => {
  it('writes every frame by itself, the next one when the one before is through', () => {
    const { socket, queue, enqueue } = createWriter();
    enqueue('a', 'b', 'c');
    expect(socket.texts).toEqual(['a']);
    socket.finishWrite();
    expect(socket.texts).toEqual(['a', 'b']);
    socket.finishAll();
    expect(socket.texts).toEqual(['a', 'b', 'c']);
    expect(queue).toEqual({ bytes: 0, emptied: 1 });
  });

  it('keeps the order and the byte count over thousands of frames that come while others leave', () => {
    const { socket, queue, enqueue } = createWriter();
    const frames = numbered(3_000);
    for (let from = 0; from < frames.length; from += 3) {
      enqueue(...frames.slice(from, from + 3));
      socket.finishWrite();
      socket.finishWrite();
    }
    expect(queue.bytes).toBeGreaterThan(0);
    socket.finishAll();
    expect(socket.texts).toEqual(frames);
    expect(queue.bytes).toBe(0);
  });

  it('lets TCP send a frame at once when none waits behind it', () => {
    const { socket, enqueue } = createWriter();
    for (const frame of ['a', 'b', 'c']) {
      enqueue(frame);
      socket.finishAll();
    }
    expect(socket.collected).toEqual([]);
  });

  it('lets TCP collect frames while others wait, and send with the last one', () => {
    const { socket, enqueue } = createWriter();
    // Nothing waits yet when the first one is written.
    enqueue('a', 'b', 'c', 'd');
    socket.finishAll();
    expect(socket.collected).toEqual([1, 2]);
    enqueue('e', 'f', 'g');
    socket.finishAll();
    expect(socket.collected).toEqual([1, 2, 5]);
  });

  it('lets TCP send after sixteen collected frames, however many wait', () => {
    const { socket, enqueue } = createWriter();
    enqueue(...numbered(60));
    socket.finishAll();
    expect(socket.writes.flatMap(({ sendsAtOnce }, index) => (sendsAtOnce ? [index] : []))).toEqual([
      0, 17, 34, 51, 59,
    ]);
  });

  it('writes a frame above the slice size in slices', () => {
    const { socket, enqueue } = createWriter();
    const large = 'x'.repeat(150_000);
    enqueue(large, 'after');
    socket.finishAll();
    expect(socket.texts.map(({ length }) => length)).toEqual([65_536, 65_536, 18_928, 5]);
    expect(socket.texts.join('')).toBe(`${large}after`);
    expect(socket.writes.at(-1)?.sendsAtOnce).toBe(true);
  });

  it('writes nothing after it was stopped, and gives the bytes back', () => {
    const { socket, writer, queue, enqueue } = createWriter();
    enqueue('a', 'b', 'c');
    writer.stop();
    socket.finishAll();
    enqueue('d');
    expect(socket.texts).toEqual(['a']);
    expect(queue).toEqual({ bytes: 0, emptied: 0 });
  });
});

describe('joined writing', () => {
  it('writes what came in one turn with one write, which TCP sends at once', () => {
    const { socket, writer, queue, enqueue } = createWriter();
    writer.joined = true;
    enqueue('a', 'b', 'c');
    expect(socket.texts).toEqual([]);
    writer.flush();
    enqueue('d', 'e');
    writer.flush();
    socket.finishAll();
    expect(socket.texts).toEqual(['abc', 'de']);
    expect(socket.collected).toEqual([]);
    expect(queue.bytes).toBe(0);
  });

  it('lets TCP send at once again when it begins while frames are being collected', () => {
    const { socket, writer, enqueue } = createWriter();
    enqueue('a', 'b', 'c', 'd');
    socket.finishWrite();
    expect(socket.collected).toEqual([1]);
    writer.joined = true;
    socket.finishAll();
    expect(socket.texts).toEqual(['a', 'b', 'cd']);
    expect(socket.collected).toEqual([1]);
  });
});
