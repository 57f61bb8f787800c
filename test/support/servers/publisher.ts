/** An encoder that publishes over RTMP, as OBS does: ffmpeg in real time, H.264 and AAC. */
import { spawn } from 'node:child_process';

export interface PublisherOptions {
  readonly ffmpegPath: string;
  /** With the stream's key, and what follows it: `rtmp://127.0.0.1:1935/live/abc?user=me` */
  readonly url: string;
  readonly seconds: number;
  readonly size?: string;
}

export interface Publisher {
  /** How it ended: by itself, by a signal, or refused, and then with ffmpeg's last words. */
  readonly ended: Promise<{ readonly code: number | null; readonly said: string }>;
  stop(signal: 'SIGTERM' | 'SIGKILL'): void;
}

const PICTURE = [
  '-c:v',
  'libx264',
  '-preset',
  'superfast',
  '-pix_fmt',
  'yuv420p',
  '-b:v',
  '600k',
  '-g',
  '50',
  '-bf',
  '2',
];
const SOUND = ['-c:a', 'aac', '-b:a', '96k', '-ar', '44100', '-ac', '2'];

export function startPublisher({ ffmpegPath, url, seconds, size = '320x180' }: PublisherOptions): Publisher {
  const inputs = [
    ...['-re', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`],
    ...['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'],
  ];
  const args = [...inputs, '-t', String(seconds), ...PICTURE, ...SOUND, '-f', 'flv', url];
  const child = spawn(ffmpegPath, ['-hide_banner', '-v', 'error', '-nostdin', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const ended = new Promise<{ code: number | null; said: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, said }));
  });
  return { ended, stop: (signal) => child.kill(signal) };
}
