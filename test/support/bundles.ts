/**
 * The functions as they are deployed: one bundle each, made with the settings of serverless.yml, in a folder of its own with the
 * files that its package names and nothing else. What serverless-esbuild would zip, without its minutes.
 */
import { spawn } from 'node:child_process';
import { cp, glob, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { parse } from 'yaml';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../..');

const file = z.object({
  custom: z.object({
    esbuild: z.object({
      format: z.literal('esm'),
      outputFileExtension: z.string(),
      external: z.array(z.string()),
      banner: z.record(z.string(), z.string()),
    }),
  }),
  functions: z.record(
    z.string(),
    z.object({
      handler: z.string(),
      package: z.object({ patterns: z.array(z.string()) }).default({ patterns: [] }),
      layers: z.array(z.unknown()).default([]),
    }),
  ),
});

export async function readFunctions() {
  return file.parse(parse(await readFile(join(ROOT, 'serverless.yml'), 'utf8'), { logLevel: 'error' }));
}

export interface Bundle {
  readonly folder: string;
  /** Path of the bundle in the folder. */
  readonly entry: string;
  readonly inputs: Metafile['inputs'];
  readonly bytes: number;
}

/** Bundles one function of serverless.yml into a folder. */
export async function bundle(name: string, folder: string): Promise<Bundle> {
  const { custom, functions } = await readFunctions();
  const { handler, package: packed } = functions[name] ?? { handler: name, package: { patterns: [] } };
  const source = handler.replace(/\.handler$/, '');
  const entry = `${source}${custom.esbuild.outputFileExtension}`;
  const { metafile } = await build({
    entryPoints: [join(ROOT, `${source}.ts`)],
    outfile: join(folder, entry),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: custom.esbuild.format,
    external: custom.esbuild.external,
    banner: custom.esbuild.banner,
    metafile: true,
    absWorkingDir: ROOT,
    logLevel: 'silent',
  });
  for (const pattern of packed.patterns) {
    for await (const path of glob(pattern, { cwd: ROOT })) {
      await mkdir(join(folder, dirname(path)), { recursive: true });
      await cp(join(ROOT, path), join(folder, path), { recursive: true });
    }
  }
  const [output] = Object.values(metafile.outputs);
  return { folder, entry, inputs: metafile.inputs, bytes: output?.bytes ?? 0 };
}

/** Calls the handler of a bundle in a process of its own, in its folder, with this environment and nothing else. */
export async function invoke(
  { folder, entry }: Pick<Bundle, 'folder' | 'entry'>,
  env: Record<string, string>,
  event: unknown,
  remainingMs = 20_000,
): Promise<unknown> {
  const runner = `import { handler } from './${entry}';
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const until = Date.now() + ${remainingMs};
const context = { getRemainingTimeInMillis: () => until - Date.now(), functionName: 'bundle' };
const result = await handler(JSON.parse(Buffer.concat(chunks).toString('utf8')), context);
process.stdout.write('\\n=> ' + JSON.stringify(result ?? null), () => process.exit(0));
`;
  await writeFile(join(folder, 'invoke.mjs'), runner);
  const child = spawn(process.execPath, ['invoke.mjs'], { cwd: folder, env });
  let told = '';
  let complaints = '';
  child.stdout.on('data', (chunk) => {
    told += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    complaints += String(chunk);
  });
  child.stdin.end(JSON.stringify(event));
  const code = await new Promise((resolve) => child.on('close', resolve));
  const [, result] = /\n=> (.*)$/s.exec(told) ?? [];
  if (code !== 0 || result === undefined) throw new Error(`${entry} ended with ${code}: ${complaints}${told}`);
  return JSON.parse(result);
}
