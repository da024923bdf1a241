// Writes docs/configuration.md from the schema; run it after `npm run build`. A unit test fails while the file is old.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../docs/configuration.md', import.meta.url));
let renderConfigDocs;
try {
  ({ renderConfigDocs } = await import('../dist/config/documentation.js'));
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  console.error('config-docs: dist/ is missing; run `npm run build` first');
  process.exit(1);
}
writeFileSync(file, renderConfigDocs());
console.log(`wrote ${file}`);
