/** How a command hands its work to `runCli`, which turns the outcome into the exit code and a failure into one line. */
export type Act = (work: () => Promise<number>, json?: boolean) => Promise<void>;
