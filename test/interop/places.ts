/**
 * Where two sides of a conversation connect: to one relay, or to two that are joined over their P2P ports. And the folders
 * with the certificates of both sides.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mesh } from '../helpers/p2p/relays.js';
import { KINDS, type Kind, type TestPki } from '../helpers/pki.js';
import { RelayProcess } from '../helpers/relay-process.js';
import { Driver, type Endpoint } from './driver.js';
import { KIND_OF, PARTIES, type Party } from './programs.js';

export const PLACES = ['same relay', 'two relays'] as const;
export type PlaceName = (typeof PLACES)[number];

/** The places of this run; without the flag that is all of them. */
export const CHOSEN_PLACES: readonly PlaceName[] =
  process.env.AMOP_INTEROP_SAME_RELAY_ONLY === '1' ? ['same relay'] : PLACES;

/** Each side has certificates of an agency of its own. */
export const SIDES = ['left', 'right'] as const;
export type Side = (typeof SIDES)[number];

/** A program around each SDK on each side. */
export type Drivers = Readonly<Record<Side, Readonly<Record<Party, Driver>>>>;

const AGENCY_OF = { left: 'sdkA', right: 'sdkB' } as const;

/** What SDKs want to find in a folder. */
export class CertificateFolders {
  private readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async create(pki: TestPki): Promise<CertificateFolders> {
    const folders = new CertificateFolders(await mkdtemp(join(tmpdir(), 'amop-relay-interop-pki-')));
    for (const side of SIDES) {
      for (const kind of KINDS) {
        const { key, cert, ca } = pki[AGENCY_OF[side]][kind];
        const at = folders.of(side, kind);
        await mkdir(at, { recursive: true });
        await writeFile(join(at, 'ca.crt'), ca);
        await writeFile(join(at, 'sdk.crt'), cert);
        await writeFile(join(at, 'sdk.key'), key, { mode: 0o600 });
      }
    }
    return folders;
  }

  of(side: Side, kind: Kind): string {
    return join(this.dir, side, kind);
  }

  remove(): Promise<void> {
    return rm(this.dir, { recursive: true, force: true });
  }
}

export class Place {
  private readonly relays: Readonly<Record<Side, RelayProcess>>;
  private readonly end: () => Promise<void>;
  private readonly folders: CertificateFolders;
  private readonly drivers: Driver[] = [];

  private constructor(
    relays: Readonly<Record<Side, RelayProcess>>,
    folders: CertificateFolders,
    end: () => Promise<void>,
  ) {
    this.relays = relays;
    this.folders = folders;
    this.end = end;
  }

  /** Starts the relays of a place; the caller owns its end. */
  static async open(name: PlaceName): Promise<Place> {
    if (name === 'same relay') {
      const relay = await RelayProcess.start({ logLevel: 'info' });
      const folders = await CertificateFolders.create(relay.pki);
      return new Place({ left: relay, right: relay }, folders, () => relay.cleanUp());
    }
    const mesh = await Mesh.start({ count: 2, logLevel: 'info' });
    const folders = await CertificateFolders.create(mesh.relay(0).pki);
    return new Place({ left: mesh.relay(0), right: mesh.relay(1) }, folders, () => mesh.stop());
  }

  connect(party: Party, side: Side): Promise<Driver> {
    return this.add(Driver.connect(party, `${party} ${side}`, this.endpoint(party, side)));
  }

  /** Starts a program for each party on each side, one after the other: starting at once they would starve each other. */
  async connectAll(): Promise<Drivers> {
    const of = async (side: Side) => {
      const entries: [Party, Driver][] = [];
      for (const party of PARTIES) entries.push([party, await this.connect(party, side)]);
      return Object.fromEntries(entries) as Record<Party, Driver>;
    };
    return { left: await of('left'), right: await of('right') };
  }

  /** A Java SDK that is connected to the relays of both sides; the certificates are those of the left. */
  connectToBoth(party: 'java-rsa' | 'java-secp256k1'): Promise<Driver> {
    const further = [this.relays.right.ports[KIND_OF[party]]];
    return this.add(Driver.connect(party, `${party} both`, { ...this.endpoint(party, 'left'), further }));
  }

  /** Certifications for senders on the relay of a side that had this result. */
  async certifications(side: Side, result: string): Promise<number> {
    return (await this.relays[side].metrics()).value('amop_private_certifications_total', { result });
  }

  async close(): Promise<void> {
    await Promise.all(this.drivers.map((driver) => driver.stop()));
    await this.folders.remove();
    await this.end();
  }

  private async add(connecting: Promise<Driver>): Promise<Driver> {
    const driver = await connecting;
    this.drivers.push(driver);
    return driver;
  }

  private endpoint(party: Party, side: Side): Endpoint {
    const kind = KIND_OF[party];
    return { port: this.relays[side].ports[kind], certificates: this.folders.of(side, kind) };
  }
}
