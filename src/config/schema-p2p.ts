/**
 * The sections of the P2P port. `[network_security]` decides: a relay without it has no P2P port. The other sections
 * then hold nothing but their defaults, so that readers need no second question (cross-checks.ts refuses them).
 */
import * as z from 'zod';
import { nodeAddressProblems } from './node-address.js';
import { filePath, ip, judged, port } from './schema-values.js';
import { DEFAULT_SUPPORTED_VERSION, supportedVersionProblems } from './supported-version.js';

/** Static peers; `limits.peers_max` counts these and the peers that dial us. */
const NODES_MAX = 256;
/** More than any chain has nodes; two full lists still fit the largest file that is read. */
const NODE_IDS_MAX = 3_000;

/** The public key of the certificate, X and Y, as a fisco 2.x node shows it. */
const NODE_ID = /^(?:0x)?[0-9a-f]{128}$/i;

const nodeId = () =>
  judged((value) =>
    NODE_ID.test(value)
      ? []
      : [
          `${JSON.stringify(value.length > 20 ? `${value.slice(0, 16)}…` : value)} is no node ID: it has 128 hex digits, ` +
            'as in the file node.nodeid of a node',
        ],
  ).overwrite((value) => value.replace(/^0x/i, '').toLowerCase());

export const networkSecurity = z
  .strictObject({
    key: filePath().meta({ description: 'Private key of the relay on secp256k1, PEM; its node ID.', kind: 'file' }),
    cert: filePath().meta({
      description: 'Its certificate, followed by the agency certificates up to the chain CA, PEM.',
      kind: 'file',
    }),
    ca_cert: filePath().meta({
      description: 'Certificates of the CAs whose relays and nodes are let in, PEM.',
      kind: 'file',
    }),
  })
  .optional()
  .meta({
    description:
      'Certificate of the P2P port. With this table the relay has a P2P port; without it none, and then `[p2p]`, ' +
      '`[compatibility]`, the certificate lists and `flow_control.outgoing_bandwidth_limit` must not be there either.',
  });

export const p2p = z
  .strictObject({
    listen_ip: ip().default('0.0.0.0').meta({ description: 'Address the P2P port listens on.', kind: 'IP address' }),
    listen_port: port().default(30_300).meta({ description: 'P2P port of relays and nodes; 0 takes a free one.' }),
    nodes: z.array(judged(nodeAddressProblems)).max(NODES_MAX).default([]).meta({
      description:
        'Relays and nodes to dial and to redial: `"10.0.0.1:30300"`, `"relay.example:30300"` or `"[fd00::1]:30300"`.',
    }),
    crl: filePath().optional().meta({
      description: 'Revocation lists, PEM: one for every CA of the chain. Without it nothing is revoked.',
      kind: 'file',
    }),
    allow_sdk_certificates: z
      .boolean()
      .default(false)
      .meta({ description: 'Lets in peers whose certificate was made for an SDK (OU=sdk).' }),
  })
  .meta({ description: 'Port of other relays and of fisco 2.x nodes. Needs `[network_security]`.' });

export const compatibility = z
  .strictObject({
    supported_version: judged(supportedVersionProblems)
      .default(DEFAULT_SUPPORTED_VERSION)
      .meta({
        description:
          'The value of the same name in the config.ini of the nodes, 2.x; it selects the P2P header, and all relays and ' +
          'nodes need the same one. Where a config.ini has none, its node speaks `2.0.0-rc1`.',
      }),
  })
  .meta({ description: 'P2P format of the network. Needs `[network_security]`.' });

export const certificateList = (description: string) =>
  z
    .strictObject({
      ids: z
        .array(nodeId())
        .max(NODE_IDS_MAX)
        .default([])
        .meta({ description: 'Node IDs, 128 hex digits each, in any case and with or without `0x`.' }),
    })
    .meta({ description: `${description} Needs \`[network_security]\`.` });
