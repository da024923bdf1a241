/** docs/configuration.md, written from the schema by scripts/config-docs.mjs. */
import { type ConfigRow, configSections } from './describe.js';

/** A complete small configuration; a test parses it. */
export const EXAMPLE_CONFIG = `# A relay for clients of both certificate kinds, joined to a relay and a node of other institutions.
[[rpc.listener]]                # secp256k1 certificates
channel_listen_port = 20200
key = "conf/node.key"
cert = "conf/node.crt"
ca_cert = "conf/ca.crt"

[[rpc.listener]]                # RSA certificates
channel_listen_port = 20201
key = "conf/rsa/node.key"
cert = "conf/rsa/node.crt"
ca_cert = "conf/rsa/ca.crt"

[network_security]              # the P2P port
key = "conf/p2p/node.key"
cert = "conf/p2p/node.crt"
ca_cert = "conf/ca.crt"

[p2p]
nodes = ["relay.bank-b.example:30300", "10.2.0.7:30300"]

[chain]
id = "1"
groups = [1, 2]

[flow_control]
outgoing_bandwidth_limit = 20.5 # Mbit/s

[[organisation]]
name = "bank-a"
issuers = ["conf/agency.crt", "conf/rsa/agency.crt"]

[admin]
listen_port = 9090

[log]
level = "info"
`;

export function renderConfigDocs(): string {
  const sections = configSections().map(
    ({ header, description, rows }) =>
      `## \`${header}\`\n\n${description}\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n${rows.map(rowText).join('\n')}\n`,
  );
  return `<!-- Written by scripts/config-docs.mjs from src/config/schema.ts: change the schema, build, and run the script. -->

# Configuration

\`amop relay --config relay.toml\` reads one [TOML](https://toml.io) file. File names in it are relative to its directory.
Only \`[[rpc.listener]]\` with \`key\`, \`cert\` and \`ca_cert\` must be there; a required key of another table is required where the table is.

The whole file is checked before anything starts. All problems are printed at once, one a line, with the line in the file
and the path of the key; entries of a list are counted from 0. An unknown key is an error, with the nearest known one:

\`\`\`
relay.toml:9: rpc.listener[1].channel_listen_prot: unknown key; did you mean channel_listen_port?
relay.toml:14: log.level: must be one of trace, debug, info, warn, error, not "warning" (did you mean "warn"?)
\`\`\`

## Example

\`\`\`toml
${EXAMPLE_CONFIG}\`\`\`

${sections.join('\n')}
## Rules between keys

* \`[p2p]\`, \`[compatibility]\`, \`[certificate_whitelist]\`, \`[certificate_blacklist]\` and \`flow_control.outgoing_bandwidth_limit\` need \`[network_security]\`.
* No two of the listeners, the P2P port and the admin port share address and port; \`0.0.0.0\` covers every IPv4 address and \`::\` every address. Port 0 is exempt.
* \`limits.subscriber_timeout_ms\` is below \`limits.request_timeout_ms\`.
* \`limits.peer_timeout_ms\` is below \`limits.request_timeout_ms\` where the relay has a P2P port.
* \`limits.session_inbound_bytes_max\` is not above \`limits.inbound_bytes_max\`.
* No node stands twice in \`p2p.nodes\`; no two \`[[flow_control.topic]]\` and no two \`[[organisation]]\` have the same name.

Legal but probably not meant, therefore a warning at the start: an admin address that is not loopback, \`limits.session_pending_max\` above
\`limits.pending_max\`, \`limits.idle_timeout_ms\` below \`limits.request_timeout_ms\`, more \`p2p.nodes\` than \`limits.peers_max\`.
`;
}

function rowText(row: ConfigRow): string {
  const fallback = row.required ? '**required**' : row.defaultToml === undefined ? 'none' : `\`${row.defaultToml}\``;
  return `| \`${row.key}\` | ${row.type} | ${fallback} | ${row.description} |`;
}
