/** What people should know about a key before they use it. */
import type { OpenedKey } from './keys-source.js';

export async function keyWarnings(opened: OpenedKey): Promise<string[]> {
  const { javaMisreads } = await import('../pki/amop-key.js');
  const warnings = opened.holds === 'private' ? [...opened.warnings] : [];
  if (opened.holds === 'private' && !opened.marked) {
    warnings.push(
      `${opened.source} does not say that it was made for private topics. If it is the key of a chain account, do not ` +
        'use it: whoever sends on the topic chooses what it signs. amop keys generate makes one of its own',
    );
  }
  if (javaMisreads(opened.publicHex)) {
    warnings.push(
      'the public key begins with 04, and the Java SDK takes these digits of its hex form for a prefix; ' +
        'give it the .public.pem file, or make another key',
    );
  }
  return warnings;
}
