/** Scripted relays and clients of one test file, and their end. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { AmopClient, AmopError, ConnectOptions, connect } from '../../src/client/index.js';
import { withDeadline } from './deadline.js';
import { type Credentials, type Kind, relayCredentials, type TestPki, testPki } from './pki.js';
import {
  type ListenOptions,
  type Peer,
  type Script,
  type ScriptedRelay,
  startScriptedRelay,
} from './scripted-relay.js';

/** The client under test: that of src in unit tests, of dist elsewhere. */
export interface ClientModule {
  readonly connect: typeof connect;
  readonly AmopError: typeof AmopError;
}

export interface Opened {
  readonly client: AmopClient;
  readonly relay: ScriptedRelay;
  readonly peer: Peer;
}

export class ClientWorld {
  private pki!: TestPki;
  private relays!: Record<Kind, Credentials>;
  private readonly module: ClientModule;
  private readonly cleanups: (() => Promise<unknown>)[] = [];

  constructor(module: ClientModule) {
    this.module = module;
    beforeAll(async () => {
      this.pki = await testPki();
      this.relays = {
        secp256k1: await relayCredentials(this.pki, 'secp256k1'),
        rsa: await relayCredentials(this.pki, 'rsa'),
      };
    });
    afterEach(() => this.clean());
    afterAll(() => this.clean());
  }

  relayPems(kind: Kind = 'secp256k1'): Credentials {
    return this.relays[kind];
  }

  sdkPems(kind: Kind = 'secp256k1'): Credentials {
    return this.pki.sdkB[kind];
  }

  later(cleanup: () => Promise<unknown>): void {
    this.cleanups.push(cleanup);
  }

  async relay(script: Script = {}, options: ListenOptions & { readonly kind?: Kind } = {}): Promise<ScriptedRelay> {
    const relay = await startScriptedRelay(this.relayPems(options.kind), script, options);
    this.later(() => relay.stop());
    return relay;
  }

  async connect(options: Partial<ConnectOptions>, kind: Kind = 'secp256k1'): Promise<AmopClient> {
    const client = await this.module.connect({ ...this.sdkPems(kind), ...options });
    this.later(() => client.close());
    return client;
  }

  /** One relay with one client. */
  async open(script: Script = {}, options: Partial<ConnectOptions> = {}): Promise<Opened> {
    const relay = await this.relay(script);
    const client = await this.connect({ port: relay.port, ...options });
    return { client, relay, peer: await relay.peer() };
  }

  /** The error of a call that must fail with an AmopError, within a deadline. */
  async failure(call: Promise<unknown>, deadlineMs = 3_000): Promise<AmopError> {
    const outcome = await withDeadline(
      call.then(
        (value) => new Error(`resolved with ${JSON.stringify(value)}`),
        (error: unknown) => error,
      ),
      deadlineMs,
      'the call to fail',
    );
    if (!(outcome instanceof this.module.AmopError)) throw outcome;
    return outcome;
  }

  private async clean(): Promise<void> {
    for (const cleanup of this.cleanups.splice(0).reverse()) await cleanup();
  }
}

/** A handler that waits at its first message until it is let go, and notes what it gets. */
export function slowHandler() {
  const got: number[] = [];
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const handle = async (message: { readonly payload: Buffer }) => {
    got.push(message.payload.readUInt32BE(0));
    await gate;
  };
  return { got, handle, release };
}
