/** The text format of Prometheus, as far as the tests need it. */

export class Metrics {
  private readonly samples: readonly { name: string; labels: Map<string, string>; value: number }[];

  constructor(samples: readonly { name: string; labels: Map<string, string>; value: number }[]) {
    this.samples = samples;
  }

  /** Sum over all samples of this name that carry these labels; 0 when there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    let sum = 0;
    for (const sample of this.samples) {
      if (sample.name !== name) continue;
      if (Object.entries(labels).every(([label, value]) => sample.labels.get(label) === value)) sum += sample.value;
    }
    return sum;
  }

  has(name: string): boolean {
    return this.samples.some((sample) => sample.name === name);
  }

  get names(): Set<string> {
    return new Set(this.samples.map((sample) => sample.name));
  }
}

export function parseMetrics(text: string): Metrics {
  const samples = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/.exec(line);
    if (match === null) throw new Error(`not a line of the text format: ${line}`);
    const labels = new Map<string, string>();
    for (const [, label, value] of (match[2] ?? '').matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)) {
      labels.set(label, value);
    }
    samples.push({ name: match[1], labels, value: Number(match[3].replace('Inf', 'Infinity')) });
  }
  return new Metrics(samples);
}
