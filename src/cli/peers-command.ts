/** `amop peers`: who a relay is connected to and whom it dials, asked on its admin port. */
import type { Act } from './act.js';
import { adminOption, getAdminJson, tokenOption } from './admin-client.js';
import { ExitCode } from './exit-codes.js';
import { printable, write, writeJson } from './output.js';
import { formatTable } from './table.js';
import type { Verb } from './verb.js';

/** What `/peers` answers, as far as it is printed. */
interface PeersReport {
  readonly node: { readonly nodeId: string; readonly agency: string; readonly name: string };
  readonly peers: readonly {
    readonly nodeId: string;
    readonly kind: string;
    readonly state: string;
    readonly organisation: string;
    readonly name: string;
    readonly remote: string;
    readonly dialled: boolean;
    readonly upSeconds: number;
    readonly topics: number;
    readonly topicLagSeconds: number;
    readonly messagesReceived: number;
    readonly messagesSent: number;
    readonly queueBytes: number;
  }[];
  readonly endpoints: readonly {
    readonly address: string;
    readonly phase: string;
    readonly nodeId?: string;
    readonly failures: number;
    readonly nextDialSeconds: number;
    readonly problem?: string;
  }[];
}

interface PeersOptions {
  readonly admin: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
  readonly wide?: boolean;
}

export function addPeersCommand(program: Verb, act: Act): void {
  program
    .command('peers')
    .summary('list the relays and nodes that a relay is connected to')
    .description('Lists the relays and 2.x nodes that a relay is connected to, and what comes of dialling the others.')
    .addOption(adminOption())
    .addOption(tokenOption('read'))
    .option('--wide', 'whole node IDs')
    .option('--json', 'everything the relay knows, as one JSON object')
    .note(
      'KIND is relay, legacy (a 2.x node) or unknown (connected for less than 2 s). STATE is active for the connection that ' +
        'messages take, held for a second one to the same peer, ending for one that lost to another. IN and OUT count messages.',
    )
    .example('amop peers', 'of the relay whose admin port is on this machine')
    .example('amop peers --admin http://127.0.0.1:9091 --wide', 'of another one, with whole node IDs')
    .example('amop peers --json', 'for a program')
    .action((options: PeersOptions) => act(() => peers(options), options.json));
}

async function peers(options: PeersOptions): Promise<number> {
  const report = await getAdminJson<PeersReport>(options.admin, '/peers', options.tokenFile);
  if (options.json) await writeJson(report);
  else await write(printed(report, options.wide === true));
  return ExitCode.ok;
}

function printed({ node, peers: links, endpoints }: PeersReport, wide: boolean): string {
  const id = (nodeId: string | undefined) => (wide ? (nodeId ?? '-') : (nodeId?.slice(0, 8) ?? '-'));
  const lines = [`This node: ${id(node.nodeId)} ${printable(node.name)}, ${printable(node.agency)}`];
  if (links.length > 0) {
    const rows = links.map((link) => [
      id(link.nodeId),
      link.kind,
      link.state,
      printable(link.organisation),
      printable(link.name),
      `${link.dialled ? '->' : '<-'} ${link.remote}`,
      `${Math.floor(link.upSeconds)} s`,
      String(link.topics),
      `${Math.round(link.topicLagSeconds * 1000)} ms`,
      String(link.messagesReceived),
      String(link.messagesSent),
      `${link.queueBytes} B`,
    ]);
    const head = [
      'NODE',
      'KIND',
      'STATE',
      'ORGANISATION',
      'NAME',
      'ADDRESS',
      'UP',
      'TOPICS',
      'LAG',
      'IN',
      'OUT',
      'QUEUE',
    ];
    lines.push('', formatTable(head, rows));
  } else {
    lines.push('', 'Not connected to any relay or node.');
  }
  if (endpoints.length > 0) {
    const rows = endpoints.map(({ address, phase, nodeId, failures, nextDialSeconds, problem }) => [
      address,
      phase,
      id(nodeId),
      String(failures),
      phase === 'idle' ? `in ${nextDialSeconds.toFixed(1)} s` : '-',
      printable(problem ?? '-'),
    ]);
    lines.push('', formatTable(['CONFIGURED NODE', 'PHASE', 'NODE', 'FAILURES', 'NEXT DIAL', 'LAST PROBLEM'], rows));
  }
  return `${lines.join('\n')}\n`;
}
