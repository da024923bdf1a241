/** The pages of the project as the tests read them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_DIR } from './pki.js';

/** @param path such as `docs/cli.md` */
export const readPage = (path: string): string => readFileSync(join(PROJECT_DIR, path), 'utf8');

/** The code blocks of one language, in the order of the page. */
export const codeBlocks = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1]);
