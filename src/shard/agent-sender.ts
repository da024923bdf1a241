/** Who challenges in the relay's own name: a requester of the router that hands the answers to the control thread. */
import type { Endpoint } from '../core/endpoint.js';
import type { FlowSource } from '../core/flow-control.js';
import { requesterList, targetList } from '../core/pending-requests.js';
import { AGENT_SESSION } from './private-agents.js';

export class AgentSender implements Endpoint {
  readonly isPeer = false;
  readonly id = AGENT_SESSION;
  /** As other relays hear of it. */
  readonly handle: string;
  /** For log lines. */
  readonly label = 'relay';
  readonly routerRequests = requesterList();
  readonly routerPushes = targetList();
  routerPassedOver = 0;
  readonly #openFlow: () => FlowSource;
  readonly #answered: (frame: Buffer) => void;
  #flow: FlowSource | undefined = undefined;

  constructor(handle: string, openFlow: () => FlowSource, answered: (frame: Buffer) => void) {
    this.handle = handle;
    this.#openFlow = openFlow;
    this.#answered = answered;
  }

  /** What its challenges are charged to on the way to peers. */
  get flow(): FlowSource {
    this.#flow ??= this.#openFlow();
    return this.#flow;
  }

  /** The bandwidth limits were replaced. */
  flowReplaced(): void {
    this.#flow = undefined;
  }

  stalled(): boolean {
    return false;
  }

  /** It subscribes to nothing. */
  deliver(): boolean {
    return false;
  }

  answer(frame: Buffer): void {
    this.#answered(frame);
  }

  /** The router tells its observer as well, which is where failures are taken from. */
  answerFailure(): void {}

  /** One challenge of 32 bytes for each question: the certification bounds them. */
  held(): void {}

  released(): void {}
}
