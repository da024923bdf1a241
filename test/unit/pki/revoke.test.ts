import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { numberOf, parseCrls, revokedOf } from '../../../src/pki/crl.js';
import { issueLeaf } from '../../../src/pki/issue.js';
import { loadListenerIdentity } from '../../../src/pki/load.js';
import { type RevokeRequest, revoke } from '../../../src/pki/revoke.js';
import { DAY_MS, makeChain, NOW, noPassword, read, refusal, request, useFolder } from './folders.js';
import { handshake } from './world.js';

const root = useFolder();
const how = (directory: string, extra: Partial<RevokeRequest> = {}): RevokeRequest => ({
  directory,
  certificates: [],
  serials: [],
  days: 60,
  now: NOW,
  askPassword: noPassword,
  ...extra,
});
const serialOf = (directory: string, name: string) =>
  new X509Certificate(read(directory, name)).serialNumber.toLowerCase().replace(/^0+/, '');
const listOf = (directory: string) => parseCrls(read(directory, 'crl.pem'))[0];

describe('a revocation list', () => {
  it('keeps what stood in it, counts up and begins with 1', async () => {
    const { agency, relay, sdk } = await makeChain(join(root, 'grows'));
    const first = await revoke(how(agency, { certificates: [join(sdk, 'sdk.crt')] }));
    expect(first).toMatchObject({ number: 1, count: 1, added: [serialOf(sdk, 'sdk.crt')] });
    const later = new Date(NOW.getTime() + DAY_MS);
    const second = await revoke(how(agency, { certificates: [join(relay, 'node.crt')], now: later }));
    expect(second).toMatchObject({ number: 2, count: 2, added: [serialOf(relay, 'node.crt')] });
    expect(numberOf(listOf(agency))).toBe(2);
    const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
    expect(revokedOf(listOf(agency)).map(({ serialHex, at }) => [serialHex, seconds(at)])).toEqual([
      [serialOf(sdk, 'sdk.crt'), seconds(NOW)],
      [serialOf(relay, 'node.crt'), seconds(later)],
    ]);
  });

  it('is renewed without adding anything, and the same certificate stands in it once', async () => {
    const { agency, sdk } = await makeChain(join(root, 'renewed'));
    const certificates = [join(sdk, 'sdk.crt')];
    await revoke(how(agency, { certificates }));
    const again = await revoke(how(agency, { certificates, days: 90 }));
    expect(again).toMatchObject({ number: 2, count: 1, added: [] });
    expect(listOf(agency).nextUpdate?.getTime()).toBeCloseTo(NOW.getTime() + 90 * DAY_MS, -4);
  });

  it('takes serial numbers as tools print them', async () => {
    const { agency } = await makeChain(join(root, 'serials'));
    const done = await revoke(how(agency, { serials: ['0x0A', '00:1F:3a', '7b'] }));
    expect(done.added).toEqual(['a', '1f3a', '7b']);
    expect((await refusal(() => revoke(how(agency, { serials: ['xyz'] })))).message).toContain(
      '"xyz" is no serial number',
    );
  });

  it('refuses a certificate of another CA', async () => {
    const { agency, chain, sdk } = await makeChain(join(root, 'own'));
    const other = await makeChain(join(root, 'other'));
    for (const [directory, certificate] of [
      [agency, join(other.sdk, 'sdk.crt')],
      [chain, join(sdk, 'sdk.crt')],
    ]) {
      const { message } = await refusal(() => revoke(how(directory, { certificates: [certificate] })));
      expect(message).toContain('was not issued by');
    }
  });

  it('does not throw an old list away that it cannot continue', async () => {
    const { agency, chain } = await makeChain(join(root, 'foreign'));
    await revoke(how(chain));
    writeFileSync(join(agency, 'crl.pem'), read(chain, 'crl.pem'));
    const { message } = await refusal(() => revoke(how(agency)));
    expect(message).toContain('is not one list of this CA');
    expect(read(agency, 'crl.pem')).toBe(read(chain, 'crl.pem'));
  });

  it('keeps a revoked client out of a TLS listener, and others in', async () => {
    const { agency, chain, relay, sdk } = await makeChain(join(root, 'tls'));
    const other = join(root, 'tls', 'app-2');
    await issueLeaf({ ...request(other), role: 'sdk', agencyDirectory: agency });
    await revoke(how(agency, { certificates: [join(sdk, 'sdk.crt')] }));
    await revoke(how(chain));
    const crl = join(root, 'tls', 'crl.pem');
    writeFileSync(crl, read(agency, 'crl.pem') + read(chain, 'crl.pem'));
    const load = (directory: string, name: string, lists?: string) =>
      loadListenerIdentity(
        {
          cert: join(directory, `${name}.crt`),
          key: join(directory, `${name}.key`),
          caCert: join(directory, 'ca.crt'),
          ...(lists === undefined ? {} : { crl: lists }),
        },
        NOW,
      );
    const server = load(relay, 'node', crl);
    expect((await handshake(server, load(sdk, 'sdk'))).failure).toBe('revoked-certificate');
    expect((await handshake(server, load(other, 'sdk'))).peer?.subjectCn).toBe('app-2');
  });
});
