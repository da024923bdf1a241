/**
 * Where CI is set a failed test is tried once more: on a shared machine a relay may stand still for longer than a test of time allows
 * for. That is no way to overlook a fault: each such test is named here with what it said, and .ci/run repeats the list at its end.
 */
import type { Reporter, TestCase } from 'vitest/node';

export const TRIES_MORE = process.env.CI ? 1 : 0;

export class SecondTries implements Reporter {
  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky !== true) return;
    const said = test.result().errors?.[0]?.message.split('\n', 1)[0];
    console.log(`passed at the second try: ${test.module.relativeModuleId} > ${test.fullName}: ${said}`);
  }
}
