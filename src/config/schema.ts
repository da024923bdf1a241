/**
 * The one table of the configuration: types, defaults, bounds, the documentation and the error texts come from it.
 *
 * Keys keep the spelling of the file (snake_case), so that config, code, log and documentation use one name.
 * A key stands here only when the relay acts on it.
 */
import * as z from 'zod';
import { LOG_LEVELS } from '../base/logger.js';
import { cipherProblems, curveProblems, DEFAULT_CIPHERS, DEFAULT_CURVES } from '../base/tls-policy.js';
import { flowControl, organisations } from './schema-bandwidth.js';
import { limitKeys } from './schema-limits.js';
import { certificateList, compatibility, networkSecurity, p2p } from './schema-p2p.js';
import { privateTopic, privateTopics } from './schema-private.js';
import { filePath, ip, judged, port } from './schema-values.js';

/** A listener needs a certificate of its own; more than a handful means that something generated the file wrongly. */
const LISTENERS_MAX = 16;
/** Group numbers are positive int16 in fisco 2.x. */
const GROUP_MAX = 32_767;

const listener = z.strictObject({
  channel_listen_ip: ip()
    .default('0.0.0.0')
    .meta({ description: 'Address the channel port listens on.', kind: 'IP address' }),
  channel_listen_port: port().default(20_200).meta({ description: 'Channel port of the SDKs; 0 takes a free one.' }),
  key: filePath().meta({ description: 'Private key of the listener, PEM.', kind: 'file' }),
  cert: filePath().meta({
    description: 'Its certificate, followed by the agency certificates up to the chain CA, PEM.',
    kind: 'file',
  }),
  ca_cert: filePath().meta({ description: 'Certificates of the CAs whose clients are let in, PEM.', kind: 'file' }),
  crl: filePath().optional().meta({
    description: 'Revocation lists, PEM: one for every CA of the chain. Without it nothing is revoked.',
    kind: 'file',
  }),
});

export const configSchema = z.strictObject({
  rpc: z
    .strictObject({
      listener: z
        .array(listener)
        .min(1)
        .max(LISTENERS_MAX)
        .prefault([])
        .meta({
          description:
            'One channel port. A listener has certificates of one kind, secp256k1 or RSA; ' +
            'clients of both kinds need two listeners, which share one topic space.',
        }),
    })
    .meta({ description: 'Ports of the SDKs.' }),
  network_security: networkSecurity,
  p2p,
  compatibility,
  certificate_whitelist: certificateList(
    'Node IDs that are let in on the P2P port; an empty list lets in every certificate of its CAs.',
  ),
  certificate_blacklist: certificateList(
    'Node IDs that are refused on the P2P port, also when the whitelist has them.',
  ),
  tls: z
    .strictObject({
      ciphers: judged(cipherProblems)
        .default(DEFAULT_CIPHERS)
        .meta({ description: 'Cipher suites of TLS 1.2 in order of preference, separated by `:`.' }),
      curves: judged(curveProblems)
        .default(DEFAULT_CURVES)
        .meta({
          description:
            'Curves of the key exchange in order of preference, separated by `:`. secp256k1 and one of P-256 and ' +
            'P-384 are required; X25519 and X448 are refused, because the TLS library inside older Java SDKs ' +
            '(TaSSL) picks them first and then fails with "invalid encoding".',
        }),
    })
    .meta({ description: 'TLS of every port; always version 1.2 with certificates on both sides.' }),
  chain: z
    .strictObject({
      id: z
        .string()
        .min(1)
        .max(64)
        .regex(/^[\x21-\x7e]+$/, { error: 'must be printable ASCII without blanks' })
        .default('1')
        .meta({ description: 'Chain ID told to SDKs that ask for it.' }),
      groups: z
        .array(z.int().min(1).max(GROUP_MAX))
        .min(1)
        .max(1024)
        .refine((groups) => new Set(groups).size === groups.length, { error: 'names a group twice' })
        .default([1])
        .meta({ description: 'Group IDs told to SDKs that ask for them.' }),
    })
    .meta({ description: 'What SDKs learn about the chain; the relay itself has none.' }),
  private_topics: privateTopics,
  private_topic: privateTopic,
  flow_control: flowControl,
  organisation: organisations,
  admin: z
    .strictObject({
      listen_ip: ip()
        .default('127.0.0.1')
        .meta({
          description:
            'Address of the admin port. On another address than loopback reading needs the token, but for `/healthz` and ' +
            '`/readyz`; it is plain HTTP: keep it off open networks.',
          kind: 'IP address',
        }),
      listen_port: port().default(9_090).meta({ description: 'Its port; 0 takes a free one.' }),
      token_file: filePath()
        .optional()
        .meta({
          description:
            'File with the token that `amop reload` and `amop drain` show; made with mode 0600 at the first start. Without it ' +
            'nobody can reload or drain over this port.',
          kind: 'file',
        }),
    })
    .meta({ description: 'Metrics, health, peers, reload; plain HTTP.' }),
  log: z
    .strictObject({
      level: z.enum(LOG_LEVELS).default('info').meta({ description: 'Least severe level that is written.' }),
      format: z
        .enum(['json', 'text'])
        .default('json')
        .meta({ description: 'One JSON object a line for machines, or text for people.' }),
    })
    .meta({ description: 'Log on standard output.' }),
  limits: z.strictObject(limitKeys).meta({ description: 'Bounds; the defaults suit most installations.' }),
});

/** A checked configuration with every default filled in. File names are absolute. */
export type RelayConfig = z.output<typeof configSchema>;
export type ListenerConfig = RelayConfig['rpc']['listener'][number];
export type LimitsConfig = RelayConfig['limits'];
/** Present exactly when the relay has a P2P port. */
export type NetworkSecurityConfig = NonNullable<RelayConfig['network_security']>;
export type P2pConfig = RelayConfig['p2p'];
export type FlowControlConfig = RelayConfig['flow_control'];
export type OrganisationConfig = RelayConfig['organisation'][number];
