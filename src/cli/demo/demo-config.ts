/** relay.toml of the demonstration. */

export interface DemoListener {
  readonly port: number;
  readonly key: string;
  readonly cert: string;
  readonly caCert: string;
}

export interface DemoConfig {
  readonly host: string;
  readonly listeners: readonly DemoListener[];
  readonly adminPort: number;
}

export function formatDemoConfig(config: DemoConfig): string {
  const listeners = config.listeners.map(
    ({ port, key, cert, caCert }) => `[[rpc.listener]]
channel_listen_ip = ${quote(config.host)}
channel_listen_port = ${port}
key = ${quote(key)}
cert = ${quote(cert)}
ca_cert = ${quote(caCert)}
`,
  );
  return `# Written by the demonstration, anew at every start.

${listeners.join('\n')}
[admin]
listen_ip = ${quote(config.host)}
listen_port = ${config.adminPort}

[log]
level = "info"
format = "json"
`;
}

/** A TOML basic string; its escapes are those of JSON. */
function quote(text: string): string {
  return JSON.stringify(text);
}
