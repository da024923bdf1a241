// Certificates of relays, applications and nodes, made with the relay's own code: one fresh demo chain for each run.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const DAY_MS = 86_400_000;

/** One relay for each; the applications are of the first. */
const AGENCIES = ['bank-a', 'bank-b'];

/** P2P ports know no other. */
const P2P_KIND = 'secp256k1';

/**
 * Makes the demo chain under `directory`.
 * @returns paths with `key`, `cert` and `caCert` each: `relays`, one entry a relay with its `channel` certificate of the
 *   kind and its `p2p` one; `sdk`, an application that every relay lets in; and `createNode(name)` for a 2.x node
 */
export async function createCertificates(dist, directory, kind) {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { createDemoPki } = await importFrom(dist, 'pki/demo.js');
  const { files } = createDemoPki(directory, { now: new Date() });
  return {
    relays: AGENCIES.map((agency) => ({ channel: files[kind][agency].relay, p2p: files[P2P_KIND][agency].relay })),
    sdk: files[kind][AGENCIES[0]].sdk,
    createNode: (name) => createNode(dist, directory, name),
  };
}

async function createNode(dist, directory, name) {
  const { createLeaf } = await importFrom(dist, 'pki/authority.js');
  const agencyDirectory = join(directory, P2P_KIND, AGENCIES[1]);
  const certPem = readFileSync(join(agencyDirectory, 'agency.crt'), 'utf8');
  const agency = {
    kind: P2P_KIND,
    key: createPrivateKey(readFileSync(join(agencyDirectory, 'agency.key'))),
    certificate: new X509Certificate(certPem),
    certPem,
  };
  const nowMs = Date.now();
  const leaf = createLeaf(agency, 'node', name, {
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + DAY_MS),
  });
  const paths = { key: join(directory, `${name}.key`), cert: join(directory, `${name}.crt`) };
  writeFileSync(paths.key, leaf.keyPem, { mode: 0o600 });
  writeFileSync(paths.cert, leaf.certPem);
  return { ...paths, caCert: join(agencyDirectory, 'ca.crt') };
}

function importFrom(dist, file) {
  return import(pathToFileURL(resolve(dist, file)).href);
}
