import { Option } from 'commander';
import type { Act } from './act.js';
import { ExitCode } from './exit-codes.js';
import type { Description } from './frame-describe.js';
import type { FrameFormat } from './frame-split.js';
import { note, printable, write, writeJson } from './output.js';
import type { Verb } from './verb.js';

interface DecodeOptions {
  readonly port?: 'channel' | 'p2p';
  readonly format?: 'rc1' | 'rc2';
  readonly full?: boolean;
  readonly json?: boolean;
}

/** Enough to recognise a message. */
const SHOWN_BYTES = 512;

export function addFrameCommand(program: Verb, act: Act): void {
  const frame = program
    .command('frame')
    .summary('look into frames of either port')
    .description('Looks into frames as they are on the wire.')
    .example('amop frame decode - < capture.bin', 'frames of a capture, hex or raw bytes');
  frame
    .command('decode')
    .summary('explain frames, field by field')
    .description('Explains frames of the channel port or of the P2P port, field by field.')
    .argument('<hex...>', 'hex digits, or - for standard input')
    .addOption(new Option('--port <port>', 'port they come from').choices(['channel', 'p2p']))
    .addOption(new Option('--format <format>', 'header of P2P frames').choices(['rc1', 'rc2']))
    .option('--full', `show payloads whole instead of their first ${SHOWN_BYTES} bytes`)
    .option('--json', 'one JSON object for each frame')
    .note(
      'The port is recognised; --port and --format say it where it is not. RC1 is the format of chains whose config.ini has ' +
        'no supported_version. A frame that is cut off or malformed is explained with the byte where it stands, and ends with 1.',
    )
    .example(
      'amop frame decode 0000002b001330313233343536373839616263646566303132333435363738396162636465660000000030',
      'a frame from a log',
    )
    .example('amop frame decode - < capture.bin', 'several frames, hex or raw bytes')
    .example('amop frame decode --port p2p --format rc1 0000000d000200010000000035', 'of the P2P port of an old chain')
    .action((hex: string[], options: DecodeOptions) => act(() => decode(hex, options), options.json));
}

async function decode(argument: readonly string[], options: DecodeOptions): Promise<number> {
  const [
    { bytesOfHex, bytesOfStdin, readStdin },
    { detectFormat, FORMAT_WORDS, splitFrames },
    { describeCutFrame, describeFrame },
  ] = await Promise.all([import('./frame-input.js'), import('./frame-split.js'), import('./frame-describe.js')]);
  const [first, ...more] = argument;
  const bytes = first === '-' && more.length === 0 ? bytesOfStdin(await readStdin()) : bytesOfHex(argument.join(' '));
  const detected = detectFormat(bytes);
  const format = formatOf(options, detected);
  if (format === undefined) {
    note('amop: this looks like no frame of either port; say with --port and --format what it should be');
    return ExitCode.failure;
  }
  const detail = { bytesMax: options.full ? Number.POSITIVE_INFINITY : SHOWN_BYTES };
  let failed = false;
  let count = 0;
  for (const part of splitFrames(bytes, format)) {
    count++;
    const described: Description = part.ok
      ? describeFrame(format, part.bytes, part.offset, detail)
      : { ...describeCutFrame(format, part.bytes), problem: part.problem };
    failed ||= hasProblem(described);
    if (options.json) {
      await writeJson({ offset: part.offset, format, ...described });
    } else {
      const words = `${FORMAT_WORDS[format]}${options.port || options.format ? '' : ' (recognised)'}`;
      await write(`frame ${count} at byte ${part.offset}: ${words}\n${linesOf(described, '  ').join('')}`);
    }
  }
  return failed ? ExitCode.failure : ExitCode.ok;
}

function formatOf({ port, format }: DecodeOptions, detected: FrameFormat | undefined): FrameFormat | undefined {
  if (port === 'channel') return 'channel';
  if (format !== undefined) return format;
  if (port === 'p2p') return detected === 'rc1' ? 'rc1' : 'rc2';
  return detected;
}

function hasProblem(described: Description): boolean {
  return Object.entries(described).some(
    ([name, value]) =>
      name === 'problem' || (typeof value === 'object' && !Array.isArray(value) && hasProblem(value as Description)),
  );
}

function linesOf(described: Description, indent: string): string[] {
  return Object.entries(described).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const label = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    if (Array.isArray(value))
      return [`${indent}${label}\n`, ...value.map((one) => `${indent}  ${printable(JSON.stringify(one))}\n`)];
    if (typeof value === 'object') return [`${indent}${label}\n`, ...linesOf(value as Description, `${indent}  `)];
    return [`${indent}${label.padEnd(13)} ${printable(String(value))}\n`];
  });
}
