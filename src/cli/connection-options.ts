/** The options that `sub`, `pub` and `request` share, and the connection they describe. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { RelayError } from '../base/errors.js';
import { DEFAULT_PORT } from '../client/bounds.js';
import { type AmopClient, connect } from '../client/index.js';
import { loadClientIdentity } from '../pki/load.js';
import { type Address, parseAddress, parsePort } from './arguments.js';
import { note } from './output.js';

export interface ConnectionOptions {
  readonly relay?: Address;
  readonly host?: string;
  readonly port?: number;
  readonly certs?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addConnectionOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--relay <host:port>', `channel port of the relay (default 127.0.0.1:${DEFAULT_PORT})`)
        .env('AMOP_RELAY')
        .argParser(parseAddress),
    )
    .option('--host <host>', 'host alone, instead of the one in --relay')
    .option('--port <port>', 'port alone, instead of the one in --relay', parsePort)
    .addOption(new Option('--certs <dir>', 'folder with ca.crt, sdk.crt and sdk.key').env('AMOP_CERTS'))
    .option('--ca <file>', "CA certificate of the chain, instead of the folder's ca.crt")
    .option('--cert <file>', "own certificate and its agency's, instead of sdk.crt")
    .option('--key <file>', 'own private key, instead of sdk.key')
    .option('--json', 'one JSON object a line, errors too')
    .option('-q, --quiet', 'no remarks on standard error, only errors');
}

/** Connects as the options say. @throws RelayError for files, AmopError 99 for the connection */
export async function connectWith(options: ConnectionOptions): Promise<AmopClient> {
  const identity = loadClientIdentity(
    {
      key: fileOf(options.key, options.certs, 'sdk.key'),
      cert: fileOf(options.cert, options.certs, 'sdk.crt'),
      caCert: fileOf(options.ca, options.certs, 'ca.crt'),
    },
    new Date(),
  );
  if (!options.quiet) for (const warning of identity.warnings) note(`amop: warning: ${warning}`);
  return connect({
    host: options.host ?? options.relay?.host,
    port: options.port ?? options.relay?.port,
    key: identity.keyPem,
    cert: identity.certPem,
    ca: identity.caPem,
  });
}

function fileOf(path: string | undefined, folder: string | undefined, name: string): string {
  if (path !== undefined) return path;
  if (folder !== undefined) return join(folder, name);
  throw new RelayError(
    'usage',
    'which certificate? give --certs with a folder that holds ca.crt, sdk.crt and sdk.key, or all of --ca, --cert, --key',
  );
}
