/**
 * 0x14, the choice of a channel protocol version (1 to 3). It is optional and may be repeated; the last one wins.
 *
 *   request  {"minimumSupport":1,"maximumSupport":3,"clientType":"…"}
 *   reply    {"nodeVersion":"2.11.0","protocol":3} LF
 *
 * `capabilities`, an array of strings on both sides, is of this relay: a client that sends it gets it back, any other
 * client sees the reply of the reference, byte for byte.
 */
import { CONTROL_BODY_BOUNDS, isJsonObject, type JsonObject, member, readJson } from './json-read.js';
import { formatJson } from './json-write.js';

export type ProtocolVersion = 1 | 2 | 3;

export const PROTOCOL_MIN = 1;
export const PROTOCOL_MAX = 3;

/** Two are defined; the rest is room for later clients. A longer list or name is cut, never refused. */
const CAPABILITIES_MAX = 16;
const CAPABILITY_CHARS_MAX = 64;

/** The type of a client is only shown and logged. */
const CLIENT_TYPE_CHARS_MAX = 64;
const CLIENT_TYPE_UNKNOWN = 'unknown';

const INT32_MAX = 0x7fffffff;

export type ParsedHandshake =
  | {
      readonly ok: true;
      readonly minimum: number;
      readonly maximum: number;
      /** Printable, at most 64 characters. */
      readonly clientType: string;
      readonly capabilities: string[];
    }
  | { readonly ok: false; readonly problem: string };

/** Reads a request. Missing versions are 1, as in the reference; versions that are no integers are refused like there. */
export function parseHandshake(body: Uint8Array): ParsedHandshake {
  const read = readJson(body, CONTROL_BODY_BOUNDS);
  if (!read.ok) return { ok: false, problem: read.problem };
  if (!isJsonObject(read.value)) return { ok: false, problem: 'not-an-object' };
  const minimum = version(read.value, 'minimumSupport');
  if (minimum === undefined) return { ok: false, problem: 'minimumSupport is not an integer' };
  const maximum = version(read.value, 'maximumSupport');
  if (maximum === undefined) return { ok: false, problem: 'maximumSupport is not an integer' };
  return {
    ok: true,
    minimum,
    maximum,
    clientType: printable(member(read.value, 'clientType')),
    capabilities: capabilitiesOf(read.value),
  };
}

/**
 * The version for a client's range, or undefined when nothing is in common (the reference closes without an answer).
 * As in the reference only the overlap is asked, so a client with minimum above maximum still gets its maximum.
 */
export function chooseProtocol(minimum: number, maximum: number): ProtocolVersion | undefined {
  if (minimum > PROTOCOL_MAX || maximum < PROTOCOL_MIN) return undefined;
  if (maximum >= PROTOCOL_MAX) return 3;
  return maximum === 2 ? 2 : 1;
}

export interface HandshakeReply {
  readonly nodeVersion: string;
  readonly protocol: number;
  /** Only for clients that sent theirs. */
  readonly capabilities?: readonly string[] | undefined;
}

export function formatHandshakeReply(reply: HandshakeReply): Buffer {
  const { nodeVersion, protocol, capabilities } = reply;
  return formatJson({ nodeVersion, protocol, capabilities });
}

export interface HandshakeRequest {
  readonly minimum: number;
  readonly maximum: number;
  readonly clientType: string;
  readonly capabilities?: readonly string[] | undefined;
}

/** The client's side. Members in the order SDKs write them, without LF. */
export function formatHandshakeRequest(request: HandshakeRequest): Buffer {
  const { minimum, maximum, clientType, capabilities } = request;
  const members = { minimumSupport: minimum, maximumSupport: maximum, clientType, capabilities };
  return Buffer.from(JSON.stringify(members), 'utf8');
}

export type ParsedHandshakeReply =
  | {
      readonly ok: true;
      readonly protocol: ProtocolVersion;
      readonly nodeVersion: string;
      readonly capabilities: string[];
    }
  | { readonly ok: false; readonly problem: string };

/** The client's side: what the node chose. */
export function parseHandshakeReply(body: Uint8Array): ParsedHandshakeReply {
  const read = readJson(body, CONTROL_BODY_BOUNDS);
  if (!read.ok) return { ok: false, problem: read.problem };
  if (!isJsonObject(read.value)) return { ok: false, problem: 'not-an-object' };
  const protocol = member(read.value, 'protocol');
  if (protocol !== 1 && protocol !== 2 && protocol !== 3) return { ok: false, problem: 'protocol is not 1, 2 or 3' };
  return {
    ok: true,
    protocol,
    nodeVersion: printable(member(read.value, 'nodeVersion')),
    capabilities: capabilitiesOf(read.value),
  };
}

function version(object: JsonObject, name: string): number | undefined {
  const value = member(object, name);
  if (value === undefined) return 1;
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > INT32_MAX) return undefined;
  return value;
}

/** A text for people: control characters and lone surrogates become `?`, and it is cut. */
function printable(value: unknown): string {
  if (typeof value !== 'string' || value === '') return CLIENT_TYPE_UNKNOWN;
  const shown = [...value.slice(0, CLIENT_TYPE_CHARS_MAX)];
  return shown.map((char) => (/[\p{Cc}\p{Cs}]/u.test(char) ? '?' : char)).join('');
}

/** An unusable value counts as none: a foreign client that happens to have such a member must not be turned away. */
function capabilitiesOf(object: JsonObject): string[] {
  const value = member(object, 'capabilities');
  if (!Array.isArray(value)) return [];
  const names = value.filter((name): name is string => typeof name === 'string' && name.length <= CAPABILITY_CHARS_MAX);
  return names.slice(0, CAPABILITIES_MAX);
}
