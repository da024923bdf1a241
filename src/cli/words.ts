/**
 * A command line as words, in the quoting of a shell and with nothing else of one: no variables, no patterns, no
 * redirection. So what a message holds can never become part of a command.
 */

/** @throws RangeError for a quote that is not closed, or nothing at all */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let i = 0; i < line.length; i++) {
    const character = line[i];
    if (quote === undefined && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (character === quote) quote = undefined;
    else if (quote === undefined && (character === '"' || character === "'")) quote = character;
    else if (character === '\\' && quote !== "'" && i + 1 < line.length && escapes(line[i + 1], quote))
      word += line[++i];
    else word += character;
  }
  if (quote !== undefined) throw new RangeError(`a quote (${quote}) is not closed`);
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new RangeError('the command is empty');
  return words;
}

/** Inside double quotes a backslash stands before the two characters that would end or change something. */
function escapes(next: string, quote: '"' | undefined): boolean {
  return quote === undefined || next === '"' || next === '\\';
}
