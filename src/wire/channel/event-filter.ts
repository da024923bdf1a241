/**
 * Answers to 0x15 and 0x16 (register and unregister an event filter): byte 0x01, the prefix of an empty topic, then
 * JSON. The request is not read at all: without a ledger every filter gets the same answer, and reading the prefix of
 * an empty request is what kills the reference node.
 */
import { encodeAmopBody } from './amop-body.js';
import { formatJson } from './json-write.js';

/** "The group does not exist": what an SDK reports as a clean refusal. */
export const EVENT_GROUP_NOT_EXIST = -41002;

/** Body `01 {"result":<result>} LF`. */
export function formatEventReply(result: number): Buffer {
  return encodeAmopBody('', formatJson({ result }));
}

/** The refusal every 0x15 and 0x16 gets. */
export function eventFilterRefusal(): Buffer {
  return formatEventReply(EVENT_GROUP_NOT_EXIST);
}
