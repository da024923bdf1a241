/** How a command that runs until somebody stops it learns of it. */

export interface StopSignal {
  /** Resolves at the first SIGINT or SIGTERM. */
  readonly first: Promise<void>;
  /** Resolves at the second one: whoever waits for something should stop waiting. */
  readonly second: Promise<void>;
  /** Signals have their usual effect again. */
  forget(): void;
}

export function listenForStop(): StopSignal {
  let signals = 0;
  let onFirst!: () => void;
  let onSecond!: () => void;
  const first = new Promise<void>((resolve) => {
    onFirst = resolve;
  });
  const second = new Promise<void>((resolve) => {
    onSecond = resolve;
  });
  const onSignal = () => {
    signals++;
    if (signals === 1) onFirst();
    else onSecond();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return { first, second, forget: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal) };
}
