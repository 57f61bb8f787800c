/** A real SRS: the binary that SRS_BINARY names, with examples/srs.conf on free ports of loopback. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../../localstack/ports.ts';
import { startServerProcess } from '../server-process.ts';
import { readExample } from './example-config.ts';
import type { RtmpServer } from './rtmp-server.ts';

export async function startSrs(binary: string, folder: string, hooksUrl: string): Promise<RtmpServer> {
  const port = await freePort();
  const hlsFolder = join(folder, 'hls');
  await mkdir(hlsFolder, { recursive: true });
  const file = join(folder, 'srs.conf');
  const config = await readExample('srs.conf', {
    'listen              1935': `listen 127.0.0.1:${port}`,
    '/run/srs.pid': join(folder, 'srs.pid'),
    '/var/lib/hls;': `${hlsFolder};`,
    'http://127.0.0.1:8083/hooks/srs?token=change-this-token': hooksUrl,
  });
  await writeFile(file, config);
  const running = await startServerProcess({
    file: binary,
    args: ['-c', file],
    env: {},
    cwd: folder,
    ready: { port },
  });
  return { url: `rtmp://127.0.0.1:${port}/live`, hlsFolder, stop: (signal) => running.stop(signal) };
}
