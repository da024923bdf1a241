/** One thing wrong with a configuration file, and its text. */

export interface ConfigProblem {
  /** Key path as in `rpc.listener[1].channel_listen_port`, list entries counted from 0; '' for the file as a whole. */
  readonly path: string;
  /** What is wrong and what to do. */
  readonly message: string;
  /** Where the key, or its nearest table, stands; both from 1. Absent when it stands nowhere. */
  readonly line?: number;
  readonly column?: number;
}

/** One line a problem, `file:line:column: path: message`, the form that editors and terminals jump to. */
export function formatProblems(problems: readonly ConfigProblem[], file: string): string {
  return problems
    .map(({ path, message, line, column }) => {
      const position = line === undefined ? '' : column === undefined ? `:${line}` : `:${line}:${column}`;
      return `${file}${position}: ${path === '' ? '' : `${path}: `}${message}`;
    })
    .join('\n');
}

/** `['rpc', 'listener', 1, 'key']` -> `rpc.listener[1].key`; unusual keys are quoted as in TOML. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') {
      text += `[${step}]`;
    } else {
      const key = String(step);
      text += `${text === '' ? '' : '.'}${/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)}`;
    }
  }
  return text;
}
