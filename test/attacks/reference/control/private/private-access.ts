/** The reference asks nobody who wants to send. */
import type { PrivateAccess as Ours } from '../../../../../src/control/private/private-access.js';

export class PrivateAccess implements Pick<Ours, keyof Ours> {
  maySend(): boolean {
    return true;
  }
}
