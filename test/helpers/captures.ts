/** The frames captured from the real node on its channel port, grouped by scenario (see the fixture's README). */
import { readFileSync } from 'node:fs';

export type CapturedClient = 'A' | 'A2' | 'B' | 'B2' | 'C';

export interface CapturedFrame {
  readonly name: string;
  readonly client: CapturedClient;
  readonly fromNode: boolean;
  readonly bytes: Buffer;
}

export interface CapturedScenario {
  /** The number and the words in the file names, such as `10-unicast`. */
  readonly id: string;
  readonly title: string;
  readonly frames: readonly CapturedFrame[];
}

export function channelScenarios(): CapturedScenario[] {
  const path = new URL('../fixtures/captures-2.x/channel.json', import.meta.url);
  const records = JSON.parse(readFileSync(path, 'utf8')) as {
    file: string;
    client: CapturedClient;
    direction: 'client->node' | 'node->client';
    scenario: string;
    hex: string;
  }[];
  const scenarios = new Map<string, { id: string; title: string; frames: CapturedFrame[] }>();
  for (const record of records) {
    const id = /^chan-(.*?)-\d\d-[A-C]2?-(?:to|from)-node/.exec(record.file)?.[1];
    if (id === undefined) throw new Error(`unexpected name ${record.file}`);
    const scenario = scenarios.get(id) ?? { id, title: record.scenario.replace(/^channel /, ''), frames: [] };
    scenarios.set(id, scenario);
    scenario.frames.push({
      name: record.file.replace(/\.hex$/, ''),
      client: record.client,
      fromNode: record.direction === 'node->client',
      bytes: Buffer.from(record.hex, 'hex'),
    });
  }
  return [...scenarios.values()];
}
