// Parameters of the load benches.
import { parseArgs } from 'node:util';
import { OWN_DIST } from '../harness/script.mjs';

const KINDS = ['secp256k1', 'rsa'];
const MODES = ['strict', 'joined'];

/** Phases of the smoke size: they show that the bench works, the figures mean nothing. */
const SMOKE = { seconds: 0.3, warmup: 0.2, rounds: 1 };
const FULL = { seconds: 5, warmup: 2, rounds: 3 };

const COMMON = {
  rounds: { type: 'string' },
  kind: { type: 'string', default: 'secp256k1' },
  seed: { type: 'string', default: '1' },
  node: { type: 'string', default: process.execPath },
  smoke: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
};

const LOAD = {
  relays: { type: 'string', default: '1' },
  outstanding: { type: 'string', default: '1,8,64,512' },
  seconds: { type: 'string' },
  warmup: { type: 'string' },
  payload: { type: 'string', default: '128' },
  publishers: { type: 'string', default: '4' },
  subscribers: { type: 'string', default: '4' },
  rate: { type: 'string', default: '0' },
  mode: { type: 'string', default: 'strict' },
};

/** Of the benches that measure one build and can keep the result. */
export const RESULT_OPTIONS = {
  dist: { type: 'string', default: OWN_DIST },
  save: { type: 'boolean', default: false },
  name: { type: 'string' },
};

/** Parses `argv` for a bench that runs the generator; `extra` are further options in the form of node:util. */
export function parseLoadOptions(argv, extra) {
  return parse(argv, { ...LOAD, ...extra }, (values) => {
    const size = values.smoke ? SMOKE : FULL;
    return {
      relays: wholeNumber('relays', values.relays, 1, 2),
      outstanding: values.outstanding.split(',').map((text) => wholeNumber('outstanding', text, 1)),
      seconds: number('seconds', values.seconds ?? size.seconds, 0.01),
      warmup: number('warmup', values.warmup ?? size.warmup, 0),
      rounds: wholeNumber('rounds', values.rounds ?? size.rounds, 1),
      payload: wholeNumber('payload', values.payload, 0),
      publishers: wholeNumber('publishers', values.publishers, 1),
      subscribers: wholeNumber('subscribers', values.subscribers, 1),
      rate: number('rate', values.rate, 0),
      mode: oneOf('mode', values.mode, MODES),
    };
  });
}

/**
 * Parses `argv` with COMMON and `table`; `convert` gives the values that are not texts.
 * Ends the process with code 2 and a line when something is wrong.
 */
export function parse(argv, table, convert) {
  try {
    const { values } = parseArgs({ args: argv, options: { ...COMMON, ...table } });
    return {
      ...values,
      seed: wholeNumber('seed', values.seed, 0),
      kind: oneOf('kind', values.kind, KINDS),
      ...convert(values),
    };
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

export function number(name, text, min, max = Number.POSITIVE_INFINITY) {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value) || value < min || value > max) {
    const range = max === Number.POSITIVE_INFINITY ? `from ${min}` : `from ${min} to ${max}`;
    throw new Error(`--${name}: expected a number ${range}, got '${text}'`);
  }
  return value;
}

export function wholeNumber(name, text, min, max) {
  const value = number(name, text, min, max);
  if (!Number.isInteger(value)) throw new Error(`--${name}: expected a whole number, got '${text}'`);
  return value;
}

function oneOf(name, text, allowed) {
  if (!allowed.includes(text)) throw new Error(`--${name}: expected ${allowed.join(' or ')}, got '${text}'`);
  return text;
}
