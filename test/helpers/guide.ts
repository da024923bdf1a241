/**
 * A guide is a page that a reader works through: commands to type in terminals, and what they print.
 *
 *   the words "**terminal 2**"   what follows belongs to that terminal
 *   a block `sh`                 typed there
 *   a block `text`               an excerpt of what is to be seen there since; `…` stands for anything within a line, and for
 *                                any lines where it stands alone
 */

export interface GuideBlock {
  readonly language: string;
  readonly code: string;
  /** The words between it and the block before. */
  readonly prose: string;
  readonly heading: string;
  readonly terminal: string;
}

export function guideBlocks(page: string): GuideBlock[] {
  const blocks: GuideBlock[] = [];
  let heading = '';
  let terminal = '1';
  let prose: string[] = [];
  let fence: { readonly language: string; readonly lines: string[] } | undefined;
  for (const line of page.split('\n')) {
    const mark = /^```(\w*)$/.exec(line);
    if (fence !== undefined) {
      if (mark === null) fence.lines.push(line);
      else {
        const code = `${fence.lines.join('\n')}\n`;
        blocks.push({ language: fence.language, code, prose: prose.join('\n'), heading, terminal });
        fence = undefined;
        prose = [];
      }
    } else if (mark !== null) {
      fence = { language: mark[1], lines: [] };
    } else {
      prose.push(line);
      heading = /^#+ (.+)$/.exec(line)?.[1] ?? heading;
      terminal = [...line.matchAll(/\*\*terminal (\d)\*\*/gi)].at(-1)?.[1] ?? terminal;
    }
  }
  if (fence !== undefined) throw new Error(`a block of code under "${heading}" does not end`);
  return blocks;
}

/** Whole lines that follow each other. Columns of a table may be wider or narrower. */
export function excerptPattern(excerpt: string): RegExp {
  const lines = excerpt.trimEnd().split('\n');
  const parts = lines.map((line) => {
    if (line === '…') return '(?:.*\\n)*?';
    const literal = line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    return `${literal.replaceAll('…', '.*').replace(/ {2,}/g, ' {2,}')}\\n`;
  });
  return new RegExp(`^${parts.join('')}`, 'm');
}
