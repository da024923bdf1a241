/** What the demonstration prints. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_PORT } from '../../client/bounds.js';
import { ADMIN_URL } from '../admin-client.js';
import { printable } from '../output.js';
import { type FirstMessage, TOPIC } from './conversation.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

export interface Place {
  /** Folder with ca.crt, sdk.crt and sdk.key. */
  readonly certs: string;
  readonly port: number;
}

export function formatFirstMessage(message: FirstMessage): string {
  return `
  bank-b  -->  its relay  -->  relay of bank-a  -->  bank-a    ${TOPIC}: ${printable(message.question)}
  bank-b  <--  its relay  <--  relay of bank-a  <--  bank-a    ${printable(message.answer)}

  First message and its answer: ${message.firstMs.toFixed(2)} ms; median of ${message.roundTrips} more: ${message.medianMs.toFixed(2)} ms.
`;
}

/** Commands that work as they are in another terminal of the same folder. */
export function formatGuide(bankA: Place, bankB: Place, adminUrl: string): string {
  const lines = [
    '',
    `  Try in other terminals, in ${process.cwd()}:`,
    '',
    '  Ask bank-a, which answers from here:',
    `    ${amop('request', bankB)} ${TOPIC} "hello from the terminal"`,
    '  Receive as bank-a, and send to all subscribers as bank-b:',
    `    ${amop('sub', bankA)} news`,
    `    ${amop('multicast', bankB)} news "markets are open"`,
    '  Answer requests, and ask (the round trip is in the output):',
    `    ${amop('sub', bankB)} echo --echo`,
    `    ${amop('request', bankA)} echo ping --count 5 --json`,
    '  Look at the relay of bank-a:',
    `    node ${shellWord(fromHere(MAIN))} peers${adminUrl === ADMIN_URL ? '' : ` --admin ${adminUrl}`}`,
    `    curl -s ${adminUrl}/metrics | grep ^amop_`,
    `    curl -s ${adminUrl}/readyz`,
  ];
  return `${lines.join('\n')}\n`;
}

function amop(verb: string, place: Place): string {
  const port = place.port === DEFAULT_PORT ? '' : ` --port ${place.port}`;
  return `node ${shellWord(fromHere(MAIN))} ${verb} --certs ${shellWord(fromHere(place.certs))}${port}`;
}

/** A path as short as it can be typed in this folder. */
export function fromHere(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

function shellWord(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
