/** A real MediaMTX: the binary that MEDIAMTX_BINARY names, with examples/mediamtx.yml and its script on free ports. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePort } from '../../../localstack/ports.ts';
import { ffmpegBinary } from '../media/index.ts';
import { startServerProcess } from '../server-process.ts';
import { exampleFile, readExample } from './example-config.ts';
import type { RtmpServer } from './rtmp-server.ts';

export async function startMediaMtx(binary: string, folder: string, hooksUrl: string): Promise<RtmpServer> {
  const [port, rtspPort] = [await freePort(), await freePort()];
  const hlsFolder = join(folder, 'hls');
  await mkdir(hlsFolder, { recursive: true });
  const file = join(folder, 'mediamtx.yml');
  const config = await readExample('mediamtx.yml', {
    'rtmpAddress: :1935': `rtmpAddress: 127.0.0.1:${port}`,
    '127.0.0.1:8554': `127.0.0.1:${rtspPort}`,
    '/etc/mediamtx/mediamtx-hook.sh': exampleFile('mediamtx-hook.sh'),
  });
  await writeFile(file, config);
  const { path } = await ffmpegBinary();
  const running = await startServerProcess({
    file: binary,
    args: [file],
    env: { RECORDER_HOOK: hooksUrl, HLS_FOLDER: hlsFolder, PATH: `${dirname(path)}:${process.env.PATH}` },
    // Certificates of its own.
    cwd: folder,
    ready: { port },
  });
  return { url: `rtmp://127.0.0.1:${port}/live`, hlsFolder, stop: (signal) => running.stop(signal) };
}
