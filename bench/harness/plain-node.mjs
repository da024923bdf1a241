// A plain 2.x node on the P2P port, as far as it learns topics and sends unicasts: it says no relay hello, ignores that of
// the relay, asks for the list whenever it is told a number that it does not know, and takes the list as it comes.
//
//   RC2  0 u32 length | 4 u16 version | 6 i32 protocol ID | 10 u16 packet type | 12 u32 seq | 16 data
import { resultOf, unicastFrame } from './channel-client.mjs';
import { openFrameLink } from './frame-link.mjs';

const HEADER_BYTES = 16;

/** Protocol IDs; a response carries the negative of its request's. */
const AMOP = 1;
const TOPICS = 2;
/** Packet types of TOPICS. */
const TOPIC_SEQ = 1;
const REQUEST_TOPICS = 2;
const TOPIC_LIST = 3;
const UNICAST = 0;

/** A node starts with 2 and gives each of its requests the next number. */
const SEQ_FIRST = 2;

const NOTHING = Buffer.alloc(0);

/**
 * Dials a relay.
 * @returns `{routable, request, failed, close}`; `routable(topic)` resolves when the relay's list holds the topic,
 *   `request(topic, payload)` with the result of a unicast
 */
export async function openPlainNode({ port, identity }) {
  let nextSeq = SEQ_FIRST;
  let knownNumber = '';
  let topics = new Set();
  let onList = () => {};
  const exchanges = new Map();

  const onFrame = (frame, { send }) => {
    const protocolId = frame.readInt32BE(6);
    const packetType = frame.readUInt16BE(10);
    const data = frame.subarray(HEADER_BYTES);
    if (protocolId === TOPICS && packetType === TOPIC_SEQ && data.toString() !== knownNumber) {
      send(encodeP2P(TOPICS, REQUEST_TOPICS, nextSeq++, NOTHING));
    } else if (protocolId === -TOPICS && packetType === TOPIC_LIST) {
      const [number, ...names] = data.toString().split('\t');
      knownNumber = number;
      topics = new Set(names);
      onList();
    } else if (protocolId === -AMOP) {
      const seq = frame.readUInt32BE(12);
      const exchange = exchanges.get(seq);
      exchanges.delete(seq);
      exchange?.(data);
    }
  };
  const link = await openFrameLink({ port, identity, what: 'the 2.x node', onFrame });
  // A session of a node begins with the number of its own list; this one has no applications.
  link.send(encodeP2P(TOPICS, TOPIC_SEQ, 0, Buffer.from('0')));

  return {
    failed: link.failed,
    close: link.close,
    routable: (topic) =>
      new Promise((done) => {
        onList = () => {
          if (topics.has(topic)) done();
        };
        onList();
      }),
    request: (topic, payload) =>
      new Promise((done, reject) => {
        const request = unicastFrame(topic, payload);
        const seq = nextSeq++;
        exchanges.set(seq, (answer) => {
          try {
            done(resultOf(answer, request));
          } catch (error) {
            reject(error);
          }
        });
        link.send(encodeP2P(AMOP, UNICAST, seq, request));
      }),
  };
}

function encodeP2P(protocolId, packetType, seq, data) {
  const frame = Buffer.alloc(HEADER_BYTES + data.length);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeInt32BE(protocolId, 6);
  frame.writeUInt16BE(packetType, 10);
  frame.writeUInt32BE(seq, 12);
  data.copy(frame, HEADER_BYTES);
  return frame;
}
