/** relay.toml of the demonstration. */

export interface DemoIdentity {
  readonly key: string;
  readonly cert: string;
  readonly caCert: string;
}

export interface DemoListener extends DemoIdentity {
  readonly port: number;
}

export interface DemoConfig {
  readonly host: string;
  readonly listeners: readonly DemoListener[];
  /** The P2P port and its certificate. */
  readonly p2p: DemoListener;
  /** P2P ports of other relays on this machine. */
  readonly dials: readonly number[];
  readonly adminPort: number;
}

export function formatDemoConfig(config: DemoConfig): string {
  const listeners = config.listeners.map(
    (listener) => `[[rpc.listener]]
channel_listen_ip = ${quote(config.host)}
channel_listen_port = ${listener.port}
${identity(listener)}
`,
  );
  const nodes = config.dials.map((port) => quote(`${config.host}:${port}`));
  return `# Written by the demonstration, anew at every start.

${listeners.join('\n')}
[p2p]
listen_ip = ${quote(config.host)}
listen_port = ${config.p2p.port}
nodes = [${nodes.join(', ')}]

[network_security]
${identity(config.p2p)}

[admin]
listen_ip = ${quote(config.host)}
listen_port = ${config.adminPort}

[log]
level = "info"
format = "json"
`;
}

function identity({ key, cert, caCert }: DemoIdentity): string {
  return `key = ${quote(key)}
cert = ${quote(cert)}
ca_cert = ${quote(caCert)}`;
}

/** A TOML basic string; its escapes are those of JSON. */
function quote(text: string): string {
  return JSON.stringify(text);
}
