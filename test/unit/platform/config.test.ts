import { ConfigInvalid, parseDuration, readConfig } from '../../../lib/platform/config.ts';

describe('the configuration', () => {
  it('has the specified defaults', () => {
    expect(readConfig({})).toMatchObject({
      DB_PORT: 5432,
      DB_USER: 'streaming_user',
      DB_PASSWORD: 'streaming_pass',
      DB_NAME: 'vod_db',
      MINIO_ENDPOINT: 'minio:9000',
      MINIO_ACCESS_KEY: 'minioadmin',
      MINIO_SECRET_KEY: 'minioadmin123',
      MINIO_USE_SSL: false,
      MINIO_BUCKET: 'recordings',
      PORT: 8083,
      STREAM_SERVICE_URL: 'http://stream-service:8082',
      VOD_SERVICE_URL: 'http://vod-service:8084',
      MONITOR_INTERVAL: 10_000,
      SEGMENT_DOWNLOAD_TIMEOUT: 30_000,
      MAX_RETRY_ATTEMPTS: 3,
    });
  });

  it('takes an empty variable as one that is not set', () => {
    expect(readConfig({ DB_PORT: '', MINIO_BUCKET: '' })).toMatchObject({ DB_PORT: 5432, MINIO_BUCKET: 'recordings' });
  });

  it.each([
    ['DB_PORT', 'abc'],
    ['DB_PORT', '70000'],
    ['DATABASE_URL', 'mysql://x'],
    ['MINIO_ENDPOINT', 'http://minio:9000'],
    ['MINIO_ENDPOINT', 'minio:99999'],
    ['MINIO_USE_SSL', 'maybe'],
    ['MINIO_BUCKET', 'Not A Bucket'],
    ['STREAM_SERVICE_URL', 'ftp://x'],
    ['STREAM_SERVICE_URL', 'http://user:hunter2@streams:8082'],
    ['VOD_SERVICE_URL', 'https://user@vod'],
    ['VOD_SERVICE_URL', 'not a URL'],
    ['MONITOR_INTERVAL', 'soon'],
    ['MONITOR_INTERVAL', '0s'],
    ['MAX_RETRY_ATTEMPTS', '0'],
    ['MAX_RETRY_ATTEMPTS', '2.5'],
    ['PART_SIZE', '1000'],
    ['LOG_LEVEL', 'loud'],
    ['WEBHOOK_SECRET', 'short'],
    ['WEBHOOK_ALLOW_FROM', '10.0.0.0/99'],
    ['MINIO_WEBHOOK_TOKEN', 'with space'],
    ['HOOK_TOKEN', 'seven-7'],
    ['DOWNLOAD_LINK_TTL', '169h'],
    ['CORS_ORIGINS', 'https://tv.example/path'],
    ['CORS_ORIGINS', 'tv.example'],
    ['OUTBOUND_WEBHOOK_URLS', 'ftp://hooks.example'],
    ['OUTBOUND_WEBHOOK_URLS', 'https://user:hunter2@hooks.example'],
    ['OUTBOUND_WEBHOOK_URLS', Array.from({ length: 21 }, (_, n) => `https://${n}.hooks.example`).join()],
    ['EVENT_BUS_NAME', 'no spaces'],
    ['RECORDING_KEY_TEMPLATE', '{stream_key}'],
    ['RECORDING_KEY_TEMPLATE', '{started_at}.mp4'],
    ['RECORDING_KEY_TEMPLATE', '../{stream_key}.mp4'],
    ['RECORDING_KEY_TEMPLATE', 'folder/{stream_key}.mp4'],
    ['RECORDING_KEY_TEMPLATE', '.staging-{stream_key}.mp4'],
    ['RECORDING_KEY_TEMPLATE', 'a..{stream_key}.mp4'],
    ['RECORDING_KEY_TEMPLATE', `${'a'.repeat(200)}{stream_key}.mp4`],
    ['RECORDING_KEY_TEMPLATE', '{user}{stream_key}.mp4'],
  ])('refuses %s=%s, naming the variable and not the value', (name, value) => {
    let message = '';
    try {
      readConfig({ [name]: value });
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigInvalid);
      message = (error as Error).message;
    }
    expect(message).toContain(`${name}:`);
    expect(message).not.toContain('hunter2');
  });

  it('never repeats a secret in its message', () => {
    expect(() => readConfig({ DATABASE_URL: 'mysql://user:hunter2@host/db' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
  });

  it('never repeats a secret that is too short', () => {
    expect(() => readConfig({ WEBHOOK_SECRET: 'hunter2' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
  });

  it.each([
    [{ OUTBOUND_WEBHOOK_URLS: 'https://hooks.example/in' }, 'OUTBOUND_WEBHOOK_SECRET'],
    [{ AUTO_IMPORT: 'true' }, 'VOD_SERVICE_TOKEN'],
  ])('wants the variable without which %j means nothing', (env, name) => {
    expect(() => readConfig(env as Record<string, string>)).toThrow(`${name}: must be set`);
  });

  it('reads lists', () => {
    const config = readConfig({
      CORS_ORIGINS: 'https://tv.example, http://localhost:3000',
      OUTBOUND_WEBHOOK_URLS: 'https://a.example/in,https://b.example/in, https://a.example/in',
      OUTBOUND_WEBHOOK_SECRET: 'a secret of enough length',
    });
    expect(config.CORS_ORIGINS).toEqual(['https://tv.example', 'http://localhost:3000']);
    expect(config.OUTBOUND_WEBHOOK_URLS).toEqual(['https://a.example/in', 'https://b.example/in']);
    expect(readConfig({}).CORS_ORIGINS).toEqual([]);
  });

  it('names every wrong variable at once', () => {
    expect(() => readConfig({ DB_PORT: 'x', MONITOR_INTERVAL: 'y' })).toThrow(/DB_PORT.*MONITOR_INTERVAL/);
  });
});

describe('a duration', () => {
  it.each([
    ['10s', 10_000],
    ['500ms', 500],
    ['1h30m', 5_400_000],
    ['10', 10_000],
    ['2d', 172_800_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
  it.each(['', 's', '10x', '-1s', '1s2'])('%p is none', (text) => {
    expect(parseDuration(text)).toBeNull();
  });
});
