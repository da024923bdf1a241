/** The documents say what the code is: links lead somewhere, and every name that is API stands where people look it up. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { METRIC_TABLE, REQUEST_DURATION, TLS_HANDSHAKE_FAILURES } from '../../src/admin/metric-table.js';
import { PRIVATE_PAIRS, RELOADED_AT, RELOADS } from '../../src/admin/metrics.js';
import { PEER_METRICS } from '../../src/admin/peer-metrics.js';
import { CLOSE_REASONS, REFUSALS, TLS_FAILURES } from '../../src/base/close-reason.js';
import { RELAY_ERROR_CODES } from '../../src/base/errors.js';
import { FAILURE_REASONS } from '../../src/base/failure-reason.js';
import { DEFAULT_LIMITS } from '../../src/base/limits.js';
import { P2P_CLOSE_REASONS, P2P_REFUSALS } from '../../src/base/p2p-close-reason.js';
import { createProgram } from '../../src/cli/program.js';
import { AmopCode } from '../../src/client/index.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const EXPECTED_PAGES = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'docs/architecture.md',
  'docs/cli.md',
  'docs/client.md',
  'docs/configuration.md',
  'docs/errors.md',
  'docs/migrating-from-the-java-demos.md',
  'docs/operations.md',
  'docs/protocol.md',
  'docs/quickstart.md',
  'docs/sdks.md',
  'docs/security.md',
];

const text = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
const packageJson = JSON.parse(text('package.json')) as Record<
  'scripts' | 'dependencies' | 'devDependencies' | 'optionalDependencies',
  Record<string, string>
>;

/** A page without its fenced code. */
const prose = (page: string): string => text(page).replace(/^```.*?^```$/gms, '');
/** Inline code of a page. */
const codeSpans = (page: string): string[] => [...prose(page).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);

/** What a command line names that does not exist: its verb, or options of it. */
function unknownWords(program: Command, line: string): string[] {
  let command = program;
  const words = line.split(' ');
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined) break;
    command = next;
  }
  if (command === program && /^[a-z]/.test(words[0])) return [line];
  const known = new Set([
    '--help',
    ...command.options.map(({ long }) => long),
    ...command.options.map(({ short }) => short),
  ]);
  return words
    .map((word) => /^--?[a-zA-Z][\w-]*/.exec(word)?.[0])
    .filter((option) => option !== undefined && !known.has(option))
    .map((option) => `${line}: ${option}`);
}

/** Names of the headings as GitHub makes them. */
function anchors(page: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading] of prose(page).matchAll(/^#{1,6} +(.+)$/gm)) {
    const plain = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let name = plain;
    for (let again = 1; found.has(name); again++) name = `${plain}-${again}`;
    found.add(name);
  }
  return found;
}

/** First cells, in code, of the table under a heading. */
function rows(page: string, heading: string): string[] {
  const all = text(page);
  const start = all.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`${page} has no heading "${heading}"`);
  const level = /^#+/.exec(heading)![0].length;
  const rest = all.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  const section = end < 0 ? rest : rest.slice(0, end);
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
}

describe('documents', () => {
  it('are all there', () => {
    expect(PAGES).toEqual(expect.arrayContaining(EXPECTED_PAGES));
  });

  it.each(PAGES)('%s has no link that leads nowhere', (page) => {
    const broken: string[] = [];
    for (const [, target] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path, anchor] = target.split('#', 2);
      const file = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
      if (!existsSync(join(ROOT, file))) broken.push(target);
      else if (anchor !== undefined && !anchors(file).has(anchor)) broken.push(target);
    }
    expect(broken).toEqual([]);
  });

  it.each(PAGES)('%s names only files that exist', (page) => {
    const paths = codeSpans(page).flatMap((span) =>
      [...span.matchAll(/(?:^| )((?:src|native|scripts|test|bench|docs)\/[\w./-]*)/g)].map((match) => match[1]),
    );
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it.each(PAGES.filter((page) => page.startsWith('docs/')))('%s is found from the README', (page) => {
    expect(text('README.md')).toContain(`](${page})`);
  });

  it.each(PAGES)('%s names only commands and options of amop that exist', (page) => {
    const program = createProgram('0.0.0', async () => {});
    const unknown = codeSpans(page).flatMap((span) =>
      [...span.matchAll(/(?:^|[|(] ?)amop ([^|]+)/g)].flatMap(([, line]) => unknownWords(program, line)),
    );
    expect(unknown).toEqual([]);
  });

  it.each(PAGES)('%s names only npm scripts that exist', (page) => {
    const names = [...text(page).matchAll(/\bnpm (?:run (?:--silent )?([\w:-]+)|(start|test)\b)/g)];
    const missing = names.map((match) => match[1] ?? match[2]).filter((name) => !(name in packageJson.scripts));
    expect(missing).toEqual([]);
  });

  it.each(PAGES)('%s names only metrics that exist', (page) => {
    const known = new Set<string>([
      ...Object.values(METRIC_TABLE).map(({ name }) => name),
      ...['', '_bucket', '_sum', '_count'].map((ending) => `${REQUEST_DURATION.name}${ending}`),
      RELOADS.name,
      RELOADED_AT.name,
      ...PEER_METRICS.map(({ name }) => name),
      TLS_HANDSHAKE_FAILURES.name,
      PRIVATE_PAIRS.name,
      'amop_privateStatus',
      'amop_tls_cert_expiry_timestamp_seconds',
      'amop_build_info',
      // Not metrics: a JSON-RPC method and the addon's file.
      'amop_topics',
      'amop_native',
      'amop_private',
    ]);
    const named = [...text(page).matchAll(/\bamop_[a-z_0-9]*[a-z0-9]/g)].map(([name]) => name);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(PAGES)('%s names only limits that exist', (page) => {
    const known = new Set(
      Object.keys(DEFAULT_LIMITS).map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
    );
    const named = codeSpans(page).flatMap((span) => {
      const match = /^(?:limits\.)?([a-z]+(?:_[a-z]+)*_(?:ms|max|second))$/.exec(span);
      return match === null ? [] : [match[1]];
    });
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('docs/errors.md', () => {
  it.each([
    ['## Why a request failed', FAILURE_REASONS],
    ['## Why a connection was closed', CLOSE_REASONS],
    ['## Why a connection to a peer was closed', P2P_CLOSE_REASONS],
    ['## Input of peers that was refused', P2P_REFUSALS],
    ['## Why a TLS handshake failed', TLS_FAILURES],
    ['## Input that was refused', REFUSALS],
    ['## Errors at the start', RELAY_ERROR_CODES],
  ])('has one row for each value under "%s", and no other', (heading, values) => {
    expect(rows('docs/errors.md', heading).sort()).toEqual([...values].sort());
  });

  it('has a row for every code that AMOP gives a number', () => {
    const numbers = [...text('docs/errors.md').matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
    const wanted = Object.values(AmopCode).filter((code) => code !== AmopCode.subscriberFailed);
    expect(numbers.sort()).toEqual([...wanted].sort());
  });

  it('has a row for every reason that the client gives itself', () => {
    const reasons = new Set<string>();
    for (const name of readdirSync(join(ROOT, 'src/client'))) {
      const source = text(`src/client/${name}`);
      for (const [, expression] of source.matchAll(/(?:\breason: |\.fail\()([^,}\n]+)/g)) {
        for (const [, reason] of expression.matchAll(/'([a-z-]+)'/g)) reasons.add(reason);
      }
    }
    expect(reasons.size).toBeGreaterThan(8);
    expect(rows('docs/errors.md', '## Reasons that the client gives itself').sort()).toEqual([...reasons].sort());
  });
});

describe('docs/architecture.md', () => {
  it('says why each dependency is there, and names no other', () => {
    const { dependencies, devDependencies, optionalDependencies } = packageJson;
    const wanted = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
    expect(rows('docs/architecture.md', '## Dependencies').sort()).toEqual(wanted.sort());
  });

  it('has a row for every layer', () => {
    const layers = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(rows('docs/architecture.md', '## Layers').sort()).toEqual(layers.map(({ name }) => name).sort());
  });
});

describe('docs/security.md', () => {
  it('names the build of uWebSockets.js that the lock file pins', () => {
    const lock = JSON.parse(text('package-lock.json')) as { packages: Record<string, { integrity?: string }> };
    expect(text('docs/security.md')).toContain(packageJson.optionalDependencies['uWebSockets.js']);
    expect(text('docs/security.md')).toContain(lock.packages['node_modules/uWebSockets.js'].integrity);
  });
});
