/** The sections of private topics. */
import * as z from 'zod';
import { filePath, judged } from './schema-values.js';

/** Above this a list is generated, and belongs into certificates. */
const SESSIONS_MAX = 1_024;
/** Topics that the configuration names; others need no entry. */
const TOPICS_MAX = 1_024;
/** Holders of a topic's keys; each signature is checked against all of them. */
const PUBLIC_KEYS_MAX = 64;
/** The challenge topic of a longer one would not fit 254 bytes. */
const NAME_BYTES_MAX = 185;

const DIGEST = /^[0-9a-f]{64}$/i;
const NAMED = /^[^/]+\/.+$/;

/** How the relay calls every agency that it does not know (`Organisations`). */
const UNKNOWN = 'unknown/';

function sessionProblems(text: string): string[] {
  if (text.startsWith(UNKNOWN)) {
    return [
      `${JSON.stringify(text.slice(0, 80))} names sessions whose agency the relay does not know, so any agency could issue ` +
        'them; put the certificate of the agency into ca_cert, or write the SHA-256 of theirs',
    ];
  }
  if (DIGEST.test(text) || NAMED.test(text)) return [];
  return [
    `${JSON.stringify(text.slice(0, 80))} names no session: write the SHA-256 of its certificate (64 hex digits, in the line ` +
      '"session opened" of the log), or "organisation/CN"; a CN alone could be issued by another agency',
  ];
}

function nameProblems(name: string): string[] {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0) return ['must not be empty'];
  if (name.startsWith('#!$')) return ['is the plain name of the topic, without "#!$TopicNeedVerify_"'];
  if (bytes > NAME_BYTES_MAX)
    return [`has ${bytes} bytes; a private topic has at most ${NAME_BYTES_MAX} bytes of UTF-8`];
  return [...name].some((char) => char < ' ' || char === '\x7f')
    ? ['has a control character, which no topic may have']
    : [];
}

const sessions = () => z.array(judged(sessionProblems)).min(1).max(SESSIONS_MAX);

export const privateTopics = z
  .strictObject({
    certify_local: z
      .boolean()
      .default(true)
      .meta({
        description:
          'Certifies subscribers of this relay for its own senders, too. With `false` every session of this relay that ' +
          'subscribes receives without, as on a 2.x node.',
      }),
    certification_seconds: z.int().min(10).max(86_400).default(600).meta({
      unit: 's',
      description: 'How long a certification counts; it is renewed in silence before it ends.',
    }),
  })
  .meta({ description: 'Private topics, which only holders of certain keys receive.' });

export const privateTopic = z
  .array(
    z.strictObject({
      name: judged(nameProblems).meta({
        description: 'Plain name of the private topic.',
        kind: `string, 1-${NAME_BYTES_MAX} bytes`,
      }),
      senders: sessions()
        .optional()
        .meta({
          description:
            'Sessions that may send on the topic, as the SHA-256 of their certificate or as "organisation/CN". Without it ' +
            'everybody may who has the keys of the subscribers.',
          kind: 'list of sessions',
        }),
      public_keys: z
        .array(z.string().min(1))
        .min(1)
        .max(PUBLIC_KEYS_MAX)
        .optional()
        .meta({
          description:
            'Public keys of the receivers, as hex or as names of files. The relay then certifies receivers itself, for `sessions` ' +
            'that send on `#!$TopicNeedVerify_` and the name without anything else of the exchange.',
          kind: 'list of keys',
        }),
      private_key: filePath()
        .optional()
        .meta({
          description:
            'File with the private key of a receiver: PEM, PKCS#12 or hex, readable by the relay alone. The relay then answers ' +
            'challenges for `sessions` that subscribe to `#!$TopicNeedVerify_` and the name.',
          kind: 'file',
        }),
      password_file: filePath().optional().meta({
        description: 'File with the password of `private_key`, where it has one.',
        kind: 'file',
      }),
      sessions: sessions()
        .optional()
        .meta({
          description:
            'Sessions that send or receive over `public_keys` or `private_key`, as the SHA-256 of their certificate or as ' +
            '"organisation/CN". Needed with either.',
          kind: 'list of sessions',
        }),
    }),
  )
  .max(TOPICS_MAX)
  .default([])
  .meta({ description: 'What is special about one private topic; others need no entry.' });

export type PrivateTopicConfig = z.output<typeof privateTopic>[number];
