/**
 * A command with its examples. They are data, because the help, docs/cli.md and the test that runs every one of them come
 * from the same place.
 */
import { Command, Help, type Option } from 'commander';

export interface Example {
  readonly command: string;
  readonly text: string;
}

export class Verb extends Command {
  readonly examples: Example[] = [];
  /** Paragraphs behind the options. */
  readonly notes: string[] = [];
  /** Options that several commands share, by their long names: documented once. */
  readonly shared = new Set<string>();

  constructor(name?: string) {
    super(name);
    this.addHelpText('after', () => formatAfter(this));
  }

  override createCommand(name?: string): Verb {
    return new Verb(name);
  }

  override createHelp(): Help {
    return Object.assign(new VerbHelp(), this.configureHelp());
  }

  example(command: string, text: string): this {
    this.examples.push({ command, text });
    return this;
  }

  note(text: string): this {
    this.notes.push(text);
    return this;
  }
}

/** What stands behind the description of an option that a command cannot do without, here and in docs/cli.md. */
export const requiredMark = ({ mandatory }: Option): string => (mandatory ? ' (required)' : '');

class VerbHelp extends Help {
  override optionDescription(option: Option): string {
    return super.optionDescription(option) + requiredMark(option);
  }
}

/** Wide enough for most commands; a longer one gets its words on the next line. */
const COMMAND_CHARS = 58;

/** As commander does where it is not on a terminal. */
const DEFAULT_COLUMNS = 80;

function formatAfter(verb: Verb): string {
  const columns = process.stdout.columns ?? DEFAULT_COLUMNS;
  const notes = verb.notes.map((note) => `\n${verb.createHelp().boxWrap(note, columns)}`);
  if (verb.examples.length === 0) return notes.join('\n');
  const lines = verb.examples.map(({ command, text }) =>
    command.length <= COMMAND_CHARS
      ? `  ${command.padEnd(COMMAND_CHARS)}  ${text}`
      : `  ${command}\n  ${' '.repeat(COMMAND_CHARS)}  ${text}`,
  );
  return [...notes, '\nExamples:', ...lines].join('\n');
}
