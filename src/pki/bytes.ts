/** node:crypto speaks Buffer, the ASN.1 library ArrayBuffer: the bridge between them, always by copy. */

export function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}
