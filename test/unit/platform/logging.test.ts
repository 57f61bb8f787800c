import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NoSuchKey } from '@aws-sdk/client-s3';
import { createLogger, hideStreamKeys, keyFoldersOf, withoutStreamKey } from '../../../lib/platform/logging.ts';
import { translateS3Error } from '../../../lib/storage/errors.ts';

const exec = promisify(execFile);
const KEY = 'sk_live_9f2c';

function logOf(write: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(
    createLogger('trace', ['/tmp/recordings', 'live-segments', 'recordings'], { write: (line) => lines.push(line) }),
  );
  return lines.join('');
}

describe('an error in the log', () => {
  it('has type, message, code, stack and causes', () => {
    const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED', syscall: 'connect' });
    const line = JSON.parse(logOf((logger) => logger.error({ err: new Error('outer', { cause }) }, 'Failed')));
    expect(line).toMatchObject({
      level: 'error',
      service: 'recording-service',
      message: 'Failed',
      err: {
        type: 'Error',
        message: 'outer',
        stack: expect.stringContaining('logging.test.ts'),
        cause: { message: 'connect refused', code: 'ECONNREFUSED', syscall: 'connect' },
      },
    });
  });

  it('does not show the key that an S3 answer hangs on its error', () => {
    const s3 = Object.assign(new NoSuchKey({ message: 'The specified key does not exist.', $metadata: {} }), {
      Key: `${KEY}/segment_000.ts`,
      Resource: `/live-segments/${KEY}/segment_000.ts`,
    });
    const text = logOf((logger) => logger.warn({ err: translateS3Error(s3, 'GetObject live-segments') }, 'Failed'));
    expect(text).toContain('NoSuchKey');
    expect(text).not.toContain(KEY);
  });

  it('does not show the values that a PostgreSQL error hangs on', () => {
    const error = Object.assign(new Error('duplicate key value violates unique constraint'), {
      detail: `Key (object_key)=(${KEY}.mp4) already exists.`,
      constraint: 'uq_recordings_object_key',
    });
    const text = logOf((logger) => logger.error({ err: error }, 'Failed'));
    expect(text).toContain('uq_recordings_object_key');
    expect(text).not.toContain(KEY);
  });

  it.each([
    `file:/tmp/recordings/${KEY}/run-0.ts: Invalid data found`,
    `ENOENT: no such file or directory, open '/tmp/recordings/${KEY}/segments.txt'`,
    `cannot read live-segments/${KEY}/segment_000.ts`,
    `GET http://minio:9000/recordings/${KEY}.mp4 failed`,
  ])('does not show the key in %p', (message) => {
    const cause = new Error(message);
    for (const err of [cause, new Error('outer', { cause }), message]) {
      const text = logOf((logger) => logger.error({ err }, 'Failed'));
      expect(text).toMatch(/Failed/);
      expect(text).not.toContain(KEY);
    }
  });

  it('leaves the names of source files in its stack', () => {
    const error = new Error('x');
    error.stack = 'Error: x\n    at sweep (file:///srv/app/lib/recordings/sweep.ts:3:4)';
    expect(logOf((logger) => logger.error({ err: error }, 'Failed'))).toContain('lib/recordings/sweep.ts:3:4');
  });

  it('that is no Error is logged as text', () => {
    expect(JSON.parse(logOf((logger) => logger.error({ err: 'plain' }, 'Failed'))).err).toBe('plain');
  });
});

describe('the log', () => {
  it('has no secret in it, however a line came to have one', () => {
    const secrets = { password: 'hunter2', secret: 'hunter2', authorization: 'hunter2' };
    const text = logOf((logger) =>
      logger.info({ ...secrets, config: secrets, headers: { authorization: 'hunter2' } }, 'Started'),
    );
    expect(text).toContain('[redacted]');
    expect(text).not.toContain('hunter2');
  });

  it('of a service as it is put together masks what its configuration names', async () => {
    const code = `
      import { createContext } from './lib/composition.ts';
      import { readConfig } from './lib/platform/config.ts';
      const { logger } = createContext(readConfig({ LIVE_BUCKET: 'live', MINIO_BUCKET: 'finished', SCRATCH_DIR: '/scratch' }));
      const err = new Error('of live/${KEY}/0.ts, finished/${KEY}.mp4, /scratch/${KEY}/run-0.ts');
      logger.error({ err }, 'Failed');`;
    const root = join(import.meta.dirname, '../../..');
    const { stdout } = await exec(process.execPath, ['--input-type=module', '-e', code], { cwd: root });
    expect(JSON.parse(stdout).err.message).toBe('of live/…/0.ts, finished/…, /scratch/…/run-0.ts');
  });

  it('masks below the scratch folder, however that is written', () => {
    for (const SCRATCH_DIR of ['/var//scratch/', './scratch', 'scratch/../scratch']) {
      const folders = keyFoldersOf({ SCRATCH_DIR, LIVE_BUCKET: 'live', MINIO_BUCKET: 'finished' });
      expect(hideStreamKeys(`open '${join(SCRATCH_DIR, KEY, 'run-0.ts')}'`, folders)).not.toContain(KEY);
    }
  });
});

describe('a file’s name without the stream key', () => {
  it.each([
    ['key-12.ts', 'key', '…-12.ts'],
    ['live_key_key.ts', 'key', 'live_…_….ts'],
    ['segment_007.ts', 'key', 'segment_007.ts'],
    ['segment_007.ts', '', 'segment_007.ts'],
  ])('of %s with the key %p is %s', (name, key, shown) => {
    expect(withoutStreamKey(name, key)).toBe(shown);
  });
});
