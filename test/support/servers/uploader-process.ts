/** The uploader as people run it: `npm run upload -- --from FOLDER`, a process of its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { S3Address } from '../packager.ts';

export interface UploaderProcess {
  /** What it has logged, one JSON a line. */
  readonly log: readonly string[];
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

const PROGRAM = join(import.meta.dirname, '../../../scripts/upload.ts');

export function startUploaderProcess(folder: string, s3: S3Address): UploaderProcess {
  const child = fork(PROGRAM, ['--from', folder], {
    silent: true,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: {
      PATH: process.env.PATH ?? '',
      MINIO_ENDPOINT: new URL(s3.endpoint).host,
      MINIO_ACCESS_KEY: s3.accessKeyId,
      MINIO_SECRET_KEY: s3.secretAccessKey,
    },
  });
  const log: string[] = [];
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding('utf8').on('data', (text: string) => {
      log.push(...text.split('\n').filter((line) => line !== ''));
    });
  }
  const exited = once(child, 'exit');
  return {
    log,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await exited;
    },
  };
}
