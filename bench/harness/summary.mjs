// Numbers over rounds, and tables of them.

/** `{min, median, max}` of at least one number; the median of an even count is the mean of the middle two. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { min: sorted[0], median, max: sorted[sorted.length - 1] };
}

/** "38,084" or "5.23": whole numbers from 100 on, else `digits` decimals. */
export function formatNumber(value, digits = 2) {
  const decimals = Math.abs(value) >= 100 ? 0 : digits;
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** "median (min - max)", or only the value when there was one round. */
export function formatSpread(numbers, digits) {
  const { min, median, max } = numbers;
  const middle = formatNumber(median, digits);
  return min === max ? middle : `${middle} (${formatNumber(min, digits)} - ${formatNumber(max, digits)})`;
}

/** A Markdown table, padded so that it reads as text too. */
export function formatTable(header, rows) {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padStart(widths[column])).join(' | ')} |`;
  return [line(header), `|${widths.map((width) => `${'-'.repeat(width + 1)}:`).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}
