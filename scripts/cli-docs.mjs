// Writes docs/cli.md from the command tree; run it after `npm run build`. A unit test fails while the file is old.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../docs/cli.md', import.meta.url));
let renderCliDocs;
try {
  ({ renderCliDocs } = await import('../dist/cli/documentation.js'));
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  console.error('cli-docs: dist/ is missing; run `npm run build` first');
  process.exit(1);
}
writeFileSync(file, renderCliDocs());
console.log(`wrote ${file}`);
