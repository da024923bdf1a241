/** Colours, where a person looks: on a terminal, and not where NO_COLOR is set (no-color.org). */

const CODES = {
  bold: ['1', '22'],
  dim: ['2', '22'],
  red: ['31', '39'],
  yellow: ['33', '39'],
  green: ['32', '39'],
} as const;

export type Style = keyof typeof CODES;

export interface Terminal {
  readonly isTTY?: boolean;
}

/** The text in this style for a terminal, as it is for everything else. */
export function paint(stream: Terminal, style: Style, text: string, environment = process.env): string {
  const noColor = environment.NO_COLOR !== undefined && environment.NO_COLOR !== '';
  if (!stream.isTTY || noColor || environment.TERM === 'dumb') return text;
  const [on, off] = CODES[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}
