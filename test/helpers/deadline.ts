/** Waiting for a condition with a deadline: the way in which a test here waits. */

export const DEFAULT_DEADLINE_MS = 8_000;

/** `promise`, or an error that names what was awaited when the deadline has passed. */
export async function withDeadline<T>(
  promise: Promise<T>,
  deadlineMs: number,
  what: string | (() => string),
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`after ${deadlineMs} ms still waiting for ${typeof what === 'string' ? what : what()}`)),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `probe` again and again until it returns something other than undefined or false. */
export async function until<T>(
  probe: () => T | Promise<T>,
  what: string | (() => string),
  deadlineMs: number = DEFAULT_DEADLINE_MS,
): Promise<Exclude<T, undefined | false>> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    if (performance.now() > endMs) {
      throw new Error(`after ${deadlineMs} ms still waiting for ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Lets time pass, for behaviour that is defined by time (a rate, an age, "nothing happens within"); never to wait for something. */
export function passTime(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
