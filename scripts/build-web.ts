/**
 * Builds the dashboard: web/ becomes web/dist/, which functions/dashboard.ts serves as it is. Names of scripts and styles carry a
 * hash of their content, so that browsers may keep them. Run by itself, or called (npm start, tests).
 */
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const WEB = join(ROOT, 'web');
const FONT = join(ROOT, 'node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2');
const HLS_WORKER = join(ROOT, 'node_modules/hls.js/dist/hls.worker.js');
const COMPRESSED = /\.(js|css|svg|html)$/;

const compress = promisify(gzip);

/** Builds into `web/dist`, which is replaced as a whole. Returns the names of the files. */
export async function buildWeb(): Promise<string[]> {
  const out = join(WEB, `dist-${process.pid}`);
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  try {
    await cp(join(WEB, 'public'), out, { recursive: true });
    const worker = await copyHashed(HLS_WORKER, out, (bytes) => withoutMap(bytes));
    const font = await copyHashed(FONT, out);
    const { metafile } = await build({
      entryPoints: { app: join(WEB, 'src/main.ts'), styles: join(WEB, 'styles/main.css') },
      bundle: true,
      minify: true,
      splitting: true,
      format: 'esm',
      target: 'es2022',
      outdir: out,
      entryNames: '[name]-[hash]',
      chunkNames: 'chunk-[hash]',
      metafile: true,
      legalComments: 'none',
      define: { HLS_WORKER_URL: JSON.stringify(`/assets/${worker}`) },
      plugins: [
        {
          name: 'font',
          setup: (bundler) => {
            bundler.onResolve({ filter: /^inter\.woff2$/ }, () => ({ path: font, external: true }));
          },
        },
      ],
    });
    const names = Object.keys(metafile.outputs).map((path) => basename(path));
    const named = (start: string) => names.find((name) => name.startsWith(start)) ?? '';
    const html = await readFile(join(WEB, 'index.html'), 'utf8');
    const filled = html
      .replace('{{script}}', `/assets/${named('app-')}`)
      .replace('{{styles}}', `/assets/${named('styles-')}`)
      .replace('{{font}}', `/assets/${font}`);
    await writeFile(join(out, 'index.html'), filled);
    await compressAll(out);
    await rm(join(WEB, 'dist'), { recursive: true, force: true });
    await rename(out, join(WEB, 'dist'));
  } finally {
    await rm(out, { recursive: true, force: true });
  }
  return readdir(join(WEB, 'dist'));
}

async function copyHashed(
  path: string,
  folder: string,
  change: (bytes: Buffer) => Buffer = (bytes) => bytes,
): Promise<string> {
  const bytes = change(await readFile(path));
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8);
  const [stem = '', ...extension] = basename(path).split('.');
  const name = `${stem}-${hash}.${extension.join('.')}`;
  await writeFile(join(folder, name), bytes);
  return name;
}

/** The map is not served: a link to it would be a 404 in the developer's tools. */
function withoutMap(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'));
}

async function compressAll(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!COMPRESSED.test(name)) continue;
    await writeFile(join(folder, `${name}.gz`), await compress(await readFile(join(folder, name)), { level: 9 }));
  }
}

if (process.argv[1] === import.meta.filename) {
  const names = await buildWeb();
  console.log(`Built the dashboard: web/dist, ${names.length} files`);
}
