/** What came of the cells of a file, as tables: one for each sheet, senders down and receivers across. */
export class Outcomes {
  private readonly sheets: readonly string[];
  private readonly rows: readonly string[];
  private readonly columns: readonly string[];
  private readonly texts = new Map<string, string>();

  constructor(sheets: readonly string[], rows: readonly string[], columns: readonly string[]) {
    this.sheets = sheets;
    this.rows = rows;
    this.columns = columns;
  }

  /** Runs a cell; what it throws stands in the table and is thrown. */
  async run(sheet: string, row: string, column: string, cell: () => Promise<void>): Promise<void> {
    const name = nameOf(sheet, row, column);
    this.texts.set(name, 'FAILED');
    const startMs = performance.now();
    await cell();
    this.texts.set(name, `ok ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  }

  /** The cells that failed or were not run. */
  missing(): string[] {
    const names = this.sheets.flatMap((sheet) =>
      this.rows.flatMap((row) => this.columns.map((column) => nameOf(sheet, row, column))),
    );
    return names.filter((name) => this.texts.get(name)?.startsWith('ok') !== true);
  }

  toString(): string {
    const width = Math.max(...[...this.rows, ...this.columns].map(({ length }) => length)) + 2;
    const line = (first: string, rest: readonly string[]) =>
      (first.padEnd(width + 2) + rest.map((text) => text.padEnd(width)).join('')).trimEnd();
    const text = (sheet: string, row: string) => (column: string) =>
      this.texts.get(nameOf(sheet, row, column)) ?? 'NOT RUN';
    return this.sheets
      .map((sheet) =>
        [
          sheet,
          line('  from \\ to', this.columns),
          ...this.rows.map((row) => line(`  ${row}`, this.columns.map(text(sheet, row)))),
        ].join('\n'),
      )
      .join('\n\n');
  }
}

function nameOf(sheet: string, row: string, column: string): string {
  return `${sheet}, ${row} to ${column}`;
}
