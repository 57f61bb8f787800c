/** The configuration files of examples/, for free ports and folders of a test: what is tested is what people copy. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const EXAMPLES = join(import.meta.dirname, '../../../examples');

/** An example that no longer has what is replaced here would be started as it stands: on everybody's port. */
export async function readExample(name: string, replacements: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(join(EXAMPLES, name), 'utf8');
  for (const [part, by] of Object.entries(replacements)) {
    if (!text.includes(part)) throw new Error(`examples/${name} has no "${part}"`);
    text = text.replaceAll(part, () => by);
  }
  return text;
}

export const exampleFile = (name: string): string => join(EXAMPLES, name);
