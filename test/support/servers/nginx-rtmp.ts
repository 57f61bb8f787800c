/**
 * A real nginx with its RTMP module, as Debian packages it: examples/nginx-rtmp.conf on free ports of loopback, in the
 * foreground, with a folder of its own. Tests and the demo use the same file that people copy.
 */
import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { freePort } from '../../../localstack/ports.ts';
import { type ServerProcess, startServerProcess } from '../server-process.ts';
import { readExample } from './example-config.ts';
import type { RtmpServer } from './rtmp-server.ts';

interface Installed {
  readonly binary: string;
  readonly module: string;
}

const MODULE_FOLDERS = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules', '/usr/lib64/nginx/modules'];

export const NGINX_MISSING = 'nginx with its RTMP module is not installed (Debian: apt-get install libnginx-mod-rtmp)';

/** Undefined where nginx or its module is missing. */
export async function findNginxRtmp(): Promise<Installed | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const binary = await firstReadable(folders.map((folder) => join(folder, 'nginx')));
  const module = await firstReadable(MODULE_FOLDERS.map((folder) => join(folder, 'ngx_rtmp_module.so')));
  return binary && module ? { binary, module } : undefined;
}

async function firstReadable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const found = await access(path, constants.R_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

/** @param hooksUrl where it tells of publishers, with the token */
export async function startNginxRtmp(installed: Installed, folder: string, hooksUrl: string): Promise<RtmpServer> {
  const port = await freePort();
  const hlsFolder = join(folder, 'hls');
  await mkdir(hlsFolder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  const config = await readExample('nginx-rtmp.conf', {
    '/usr/lib/nginx/modules/ngx_rtmp_module.so': installed.module,
    // One process, which keeps its user and stays in the foreground.
    'user www-data;': 'daemon off; master_process off;',
    '/var/log/nginx/rtmp.log notice': `${join(folder, 'error.log')} info`,
    '/run/nginx-rtmp.pid': join(folder, 'nginx.pid'),
    'listen 1935': `listen 127.0.0.1:${port}`,
    'hls_path /var/lib/hls': `hls_path ${hlsFolder}`,
    'http://127.0.0.1:8083/hooks/nginx-rtmp?token=change-this-token': hooksUrl,
  });
  await writeFile(file, config);
  const running: ServerProcess = await startServerProcess({
    file: installed.binary,
    args: ['-p', folder, '-c', file, '-e', join(folder, 'error.log')],
    env: {},
    ready: { port },
  });
  return { url: `rtmp://127.0.0.1:${port}/live`, hlsFolder, stop: (signal) => running.stop(signal) };
}
