// Waits that end.

/** What `promise` gives, or a rejection with `makeError()` when it takes longer. */
export async function withTimeout(promise, timeoutMs, makeError) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(makeError()), timeoutMs);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

export const delay = (ms) => new Promise((done) => setTimeout(done, ms));
