/** Bandwidth limits, and the organisations among which the limit of the node is shared. */
import * as z from 'zod';
import { TOPIC_BYTES_MAX } from '../base/limits.js';
import { bandwidth, filePath, judged } from './schema-values.js';

/** Each has a token bucket of its own; more than a thousand are generated and belong under one topic limit. */
const TOPIC_LIMITS_MAX = 1_024;
/** Each organisation is a label of the metrics, and a chain joins tens of institutions. */
const ORGANISATIONS_MAX = 64;
/** CAs of one organisation: a handful of agencies in two certificate kinds, over some renewals. */
const ISSUERS_MAX = 64;
/** As long as a common name may be in X.509: it stands where otherwise the CN of the issuer would. */
const ORGANISATION_NAME_CHARS_MAX = 64;

/** Nobody can send to such a topic, so a limit on it would silently do nothing. */
function topicProblems(topic: string): string[] {
  const bytes = Buffer.byteLength(topic);
  if (bytes === 0) return ['must not be empty'];
  if (bytes > TOPIC_BYTES_MAX) return [`has ${bytes} bytes; a topic has at most ${TOPIC_BYTES_MAX} bytes of UTF-8`];
  return hasControlCharacter(topic) ? ['has a control character, which no topic may have'] : [];
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((char) => char < ' ' || char === '\x7f');
}

const limited = (scope: string) =>
  bandwidth()
    .optional()
    .meta({ description: `${scope} Without it there is no limit.` });

export const flowControl = z
  .strictObject({
    outgoing_bandwidth_limit: limited(
      'What the relay sends to all other relays and nodes together, headers included, TLS excluded; ' +
        'the key of a 2.x config.ini. Needs `[network_security]`.',
    ),
    session_bandwidth_limit: limited('What one session sends.'),
    organisation_bandwidth_limit: limited('What all sessions of one organisation send together.'),
    topic_bandwidth_limit: limited('What all sessions send to one topic, for topics without a limit of their own.'),
    topic: z
      .array(
        z.strictObject({
          name: judged(topicProblems).meta({
            description: 'Topic as the applications name it.',
            kind: `string, 1-${TOPIC_BYTES_MAX} bytes`,
          }),
          bandwidth_limit: bandwidth().meta({ description: 'What all sessions send to this topic.' }),
        }),
      )
      .max(TOPIC_LIMITS_MAX)
      .default([])
      .meta({ description: 'A topic with a limit of its own instead of `flow_control.topic_bandwidth_limit`.' }),
  })
  .meta({
    description:
      'Bandwidth limits in Mbit/s; 1 Mbit/s is 131,072 bytes/s, as in fisco 2.x. A request over a limit is answered ' +
      'with 103 at once, a multicast is charged for each copy, and answers are charged but never refused.',
  });

export const organisations = z
  .array(
    z.strictObject({
      name: z
        .string()
        .min(1)
        .max(ORGANISATION_NAME_CHARS_MAX)
        .refine((name) => !hasControlCharacter(name), {
          error: 'has a control character; it stands in logs and metrics',
        })
        .meta({ description: 'Name in logs, metrics and `amop peers`.' }),
      issuers: z
        .array(filePath())
        .min(1)
        .max(ISSUERS_MAX)
        .meta({ description: 'Certificates of the CAs that belong to it, PEM.', kind: 'list of files' }),
    }),
  )
  .max(ORGANISATIONS_MAX)
  .default([])
  .meta({
    description:
      'Joins the CAs of one organisation, such as its EC and its RSA agency. A CA that stands in none is an ' +
      'organisation of its own, under the common name of its certificate.',
  });
