/**
 * The config.ini of a 2.x node, as its parser (Boost's property tree) reads it: `[section]`, `key=value`, comments only on
 * lines of their own, blanks around names and values dropped. A section or a key that stands twice stops the node, so it is
 * refused here too.
 */

/** The template of FISCO's tools has about 5 KiB. */
export const INI_BYTES_MAX = 1_048_576;

export interface IniEntry {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

export interface IniProblem {
  readonly line: number;
  readonly message: string;
}

export type ParsedIni =
  | { readonly ok: true; readonly entries: readonly IniEntry[] }
  | { readonly ok: false; readonly problems: readonly IniProblem[] };

export function parseIni(text: string): ParsedIni {
  const entries: IniEntry[] = [];
  const problems: IniProblem[] = [];
  const seen = new Map<string, number>();
  const once = (name: string, line: number): void => {
    const before = seen.get(name);
    if (before === undefined) seen.set(name, line);
    else problems.push({ line, message: `${name} stands in line ${before} already` });
  };
  let section = '';
  text.split(/\r?\n/).forEach((raw, index) => {
    const line = index + 1;
    // A byte order mark, which editors on Windows leave.
    const content = (index === 0 ? raw.replace(/^\ufeff/, '') : raw).trim();
    if (content === '' || content.startsWith(';') || content.startsWith('#')) return;
    if (content.startsWith('[')) {
      const name = /^\[([^\]]*)\]$/.exec(content)?.[1].trim();
      if (name === undefined || name === '') {
        problems.push({ line, message: `${JSON.stringify(content.slice(0, 40))} is no section header` });
        return;
      }
      section = name;
      once(`[${name}]`, line);
      return;
    }
    const equals = content.indexOf('=');
    if (equals < 1) {
      problems.push({ line, message: `${JSON.stringify(content.slice(0, 40))} is no key=value` });
      return;
    }
    const key = content.slice(0, equals).trim();
    once(section === '' ? key : `${section}.${key}`, line);
    entries.push({ section, key, value: content.slice(equals + 1).trim(), line });
  });
  return problems.length === 0 ? { ok: true, entries } : { ok: false, problems };
}
