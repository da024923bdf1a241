// Parameters of the load benches.
import { parseArgs } from 'node:util';

const KINDS = ['secp256k1', 'rsa'];
const MODES = ['strict', 'joined'];

/** Phases of the smoke size: they show that the bench works, the figures mean nothing. */
const SMOKE = { seconds: 0.3, warmup: 0.2, rounds: 1 };

const COMMON = {
  outstanding: { type: 'string', default: '1,8,64,512' },
  seconds: { type: 'string' },
  warmup: { type: 'string' },
  rounds: { type: 'string' },
  payload: { type: 'string', default: '128' },
  publishers: { type: 'string', default: '4' },
  subscribers: { type: 'string', default: '4' },
  rate: { type: 'string', default: '0' },
  kind: { type: 'string', default: 'secp256k1' },
  mode: { type: 'string', default: 'strict' },
  seed: { type: 'string', default: '1' },
  node: { type: 'string', default: process.execPath },
  smoke: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
};

/**
 * Parses `argv`; `extra` are further options in the form of node:util.
 * Ends the process with code 2 and a line when something is wrong.
 */
export function parseLoadOptions(argv, extra = {}) {
  try {
    const { values } = parseArgs({ args: argv, options: { ...COMMON, ...extra } });
    const size = values.smoke ? SMOKE : { seconds: 5, warmup: 2, rounds: 3 };
    return {
      ...values,
      outstanding: values.outstanding.split(',').map((text) => wholeNumber('outstanding', text, 1)),
      seconds: number('seconds', values.seconds ?? size.seconds, 0.01),
      warmup: number('warmup', values.warmup ?? size.warmup, 0),
      rounds: wholeNumber('rounds', values.rounds ?? size.rounds, 1),
      payload: wholeNumber('payload', values.payload, 0),
      publishers: wholeNumber('publishers', values.publishers, 1),
      subscribers: wholeNumber('subscribers', values.subscribers, 1),
      rate: number('rate', values.rate, 0),
      seed: wholeNumber('seed', values.seed, 0),
      kind: oneOf('kind', values.kind, KINDS),
      mode: oneOf('mode', values.mode, MODES),
    };
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

function number(name, text, min) {
  const value = Number(text);
  if (!Number.isFinite(value) || value < min)
    throw new Error(`--${name}: expected a number from ${min}, got '${text}'`);
  return value;
}

function wholeNumber(name, text, min) {
  const value = number(name, text, min);
  if (!Number.isInteger(value)) throw new Error(`--${name}: expected a whole number, got '${text}'`);
  return value;
}

function oneOf(name, text, allowed) {
  if (!allowed.includes(text)) throw new Error(`--${name}: expected ${allowed.join(' or ')}, got '${text}'`);
  return text;
}
