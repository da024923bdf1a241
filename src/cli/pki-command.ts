import type { Act } from './act.js';
import { addPkiInitCommand, addPkiOrgCommand, addPkiRelayCommand, addPkiSdkCommand } from './pki-make.js';
import { addPkiRevokeCommand } from './pki-revoke.js';
import { addPkiShowCommand } from './pki-show.js';
import { addPkiVerifyCommand } from './pki-verify.js';
import type { Verb } from './verb.js';

export function addPkiCommand(program: Verb, act: Act): void {
  const pki = program
    .command('pki')
    .summary('make, look at and check certificates')
    .description('Makes, renews, revokes, shows and checks the certificates of a chain.')
    .note(
      'A chain CA issues agencies, one for each organisation; an agency issues the certificates of its relays and ' +
        "applications. The folders and file names are those of FISCO's tools, and their folders are accepted as they are.",
    )
    .example('amop pki init chain', 'ca.crt and ca.key')
    .example('amop pki org bank-a --chain chain', 'agency.crt and agency.key')
    .example('amop pki relay bank-a/relay-1 --org bank-a', 'node.crt, node.key, node.nodeid, ca.crt')
    .example('amop pki sdk bank-a/app-1 --org bank-a', 'sdk.crt, sdk.key, ca.crt')
    .example('amop pki verify bank-a/relay-1', 'would it work, and if not, why');
  addPkiInitCommand(pki, act);
  addPkiOrgCommand(pki, act);
  addPkiRelayCommand(pki, act);
  addPkiSdkCommand(pki, act);
  addPkiShowCommand(pki, act);
  addPkiVerifyCommand(pki, act);
  addPkiRevokeCommand(pki, act);
}
