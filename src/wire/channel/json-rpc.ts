/**
 * 0x12: JSON-RPC 2.0 text, one request, one answer with the same seq. The result of the channel frame stays 0 even
 * for a JSON-RPC error: another value hides the text in Java and throws inside the socket handler of Node.js clients.
 * A success carries no `error` member at all (the Python client takes its presence for failure).
 */
import { JSON_BODY_BYTES_MAX } from '../../base/limits.js';
import { isJsonObject, type JsonProblem, member, readJson } from './json-read.js';
import { formatJson, type JsonValue } from './json-write.js';

/** An id as requests carry it; echoed in the answer. */
export type RpcId = string | number | null;

export const RpcErrorCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
} as const;

/** Params of ledger calls nest a few levels; the relay ignores them. */
const RPC_DEPTH_MAX = 32;
/** Members and elements of a whole request; `params` of a real call holds tens. */
const RPC_SEPARATORS_MAX = 16_384;
/** Real ids are counters, real methods are words. */
const RPC_ID_CHARS_MAX = 128;
const RPC_METHOD_CHARS_MAX = 128;

export type ParsedRpcRequest =
  /** `params` is what stood there, unchecked; the empty array when it was absent or null (the Go SDK omits it). */
  | { readonly ok: true; readonly id: RpcId; readonly method: string; readonly params: unknown }
  /** `reply`: the body of the answer that says why. */
  | { readonly ok: false; readonly reply: Buffer };

/** Reads a request. `jsonrpc` is not looked at; a request without id is answered with id null, as every 0x12 needs one. */
export function parseRpcRequest(body: Uint8Array): ParsedRpcRequest {
  const read = readJson(body, {
    bytesMax: JSON_BODY_BYTES_MAX,
    depthMax: RPC_DEPTH_MAX,
    separatorsMax: RPC_SEPARATORS_MAX,
  });
  if (!read.ok) return { ok: false, reply: unreadable(read.problem) };
  if (!isJsonObject(read.value)) return invalid(null, 'one request object is expected (no batch)');
  const id = idOf(member(read.value, 'id'));
  if (id === undefined)
    return invalid(null, `id must be a number, a string of at most ${RPC_ID_CHARS_MAX} characters or null`);
  const method = member(read.value, 'method');
  if (typeof method !== 'string' || method.length === 0 || method.length > RPC_METHOD_CHARS_MAX) {
    return invalid(id, `method must be a string of 1 to ${RPC_METHOD_CHARS_MAX} characters`);
  }
  return { ok: true, id, method, params: member(read.value, 'params') ?? [] };
}

/** Formats a success, LF at the end. */
export function formatRpcResult(id: RpcId, result: JsonValue): Buffer {
  return formatJson({ id, jsonrpc: '2.0', result });
}

/** Formats a JSON-RPC error, LF at the end. */
export function formatRpcError(id: RpcId, code: number, message: string): Buffer {
  return formatJson({ error: { code, message }, id, jsonrpc: '2.0' });
}

/** An integer beyond 2^53 would be echoed as another one, so it counts as no id. */
function idOf(value: unknown): RpcId | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value.length <= RPC_ID_CHARS_MAX ? value : undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : value;
}

function invalid(id: RpcId, what: string): ParsedRpcRequest {
  return { ok: false, reply: formatRpcError(id, RpcErrorCode.invalidRequest, `INVALID_REQUEST: ${what}`) };
}

function unreadable(problem: JsonProblem): Buffer {
  switch (problem) {
    case 'not-json':
    case 'not-utf8':
      // The text of the node, seen in captured frames.
      return formatRpcError(null, RpcErrorCode.parseError, 'JSON_PARSE_ERROR: The JSON-Object is not JSON-Valid');
    case 'too-large':
    case 'too-deep':
    case 'too-many-values':
      return formatRpcError(
        null,
        RpcErrorCode.invalidRequest,
        `INVALID_REQUEST: over a limit (${problem}): at most ${JSON_BODY_BYTES_MAX} bytes, ` +
          `${RPC_DEPTH_MAX} levels and ${RPC_SEPARATORS_MAX} values`,
      );
  }
}
