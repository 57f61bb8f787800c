/** The payloads of streaming servers, in the forms that their documentation and their source give. */
import { readHook } from '../../../lib/recordings/hook-payloads.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** As nginx-rtmp sends it: fields of the connection, the call, the stream, then what the publisher wrote behind its name. */
const nginx = (call: string, name = 'abc123', args = '') =>
  `app=live&flashver=FMLE/3.0%20(compatible%3B%20FMSc/1.0)&swfurl=&tcurl=rtmp://10.0.0.5:1935/live&pageurl=` +
  `&addr=113.74.127.195&clientid=547&call=${call}&name=${name}${call === 'publish' ? '&type=live' : ''}${args}`;

const srs = (action: string, more: Record<string, unknown> = {}) =>
  JSON.stringify({
    server_id: 'vid-0xk989d',
    service_id: '382k456r',
    action,
    client_id: '341w361a',
    ip: '127.0.0.1',
    vhost: '__defaultVhost__',
    app: 'live',
    tcUrl: 'rtmp://127.0.0.1:1935/live?vhost=__defaultVhost__',
    stream: 'livestream',
    param: '?token=xxx',
    stream_url: 'video.test.com/live/livestream',
    stream_id: 'vid-124q9y3',
    ...more,
  });

const mediaMtx = (event: string, path = 'abc123') =>
  new URLSearchParams({
    event,
    path,
    source_type: 'rtmpConn',
    source_id: '1f0c8d9a-7c1e-4a39-9f3e-0d1f8a2b3c4d',
    time: '2025-10-05T18:00:00Z',
  }).toString();

describe('a hook of nginx-rtmp', () => {
  it('is a start or an end of the stream of its name', () => {
    const started = readHook('nginx-rtmp', nginx('publish'));
    expect(started).toEqual({
      event: 'stream.started',
      streamId: expect.stringMatching(UUID),
      streamKey: 'abc123',
      session: '547',
      at: null,
      refusesSecond: true,
    });
    const ended = readHook('nginx-rtmp', nginx('publish_done'));
    expect(ended).toEqual({ ...started, event: 'stream.ended' });
  });

  it.each(['connect', 'disconnect', 'play', 'play_done', 'done', 'update_publish', 'update_play', 'record_done'])(
    '%s is passed over',
    (call) => {
      expect(readHook('nginx-rtmp', nginx(call))).toBeNull();
    },
  );

  it('is about the stream that is published, whatever its publisher writes behind the name', () => {
    const forged = readHook(
      'nginx-rtmp',
      nginx('publish', 'abc123', '&name=victim&app=other&clientid=1&call=publish_done'),
    );
    expect(forged).toEqual(readHook('nginx-rtmp', nginx('publish')));
  });
});

describe('a hook of SRS', () => {
  it('is a start or an end of the stream of its name', () => {
    const started = readHook('srs', srs('on_publish'));
    expect(started).toMatchObject({ event: 'stream.started', streamKey: 'livestream', session: '341w361a', at: null });
    expect(readHook('srs', srs('on_unpublish'))).toEqual({ ...started, event: 'stream.ended' });
  });

  it('may have numbers for ids and lack what newer versions added', () => {
    const old = {
      action: 'on_publish',
      client_id: 1985,
      ip: '192.168.1.10',
      vhost: 'video.test.com',
      app: 'live',
      stream: 'a',
    };
    expect(readHook('srs', JSON.stringify(old))).toMatchObject({ session: '1985', streamKey: 'a' });
  });

  it.each(['on_connect', 'on_close', 'on_play', 'on_stop', 'on_dvr', 'on_hls'])('%s is passed over', (action) => {
    const hls = { duration: 9.36, file: './objs/nginx/html/live/livestream-1.ts', seq_no: 100 };
    expect(readHook('srs', srs(action, hls))).toBeNull();
  });
});

describe('a hook of MediaMTX, by our script', () => {
  it.each([
    ['ready', 'not-ready'],
    ['available', 'unavailable'],
    ['online', 'offline'],
  ])('%s is a start and %s an end, with their times', (start, end) => {
    const started = readHook('mediamtx', mediaMtx(start));
    expect(started).toMatchObject({
      event: 'stream.started',
      streamKey: 'abc123',
      session: '1f0c8d9a-7c1e-4a39-9f3e-0d1f8a2b3c4d',
      at: new Date('2025-10-05T18:00:00Z'),
    });
    expect(readHook('mediamtx', mediaMtx(end))).toEqual({ ...started, event: 'stream.ended' });
  });

  it.each(['0000-06-01T00:00:00Z', '9999-12-31T23:59:59-01:00'])('at %s, in no year of ours, is refused', (time) => {
    const body = mediaMtx('ready').replace('2025-10-05T18%3A00%3A00Z', encodeURIComponent(time));
    expect(() => readHook('mediamtx', body)).toThrow(/years 1 to 9999/);
  });

  it('has the last part of its path for a stream key', () => {
    expect(readHook('mediamtx', mediaMtx('ready', 'live/eu/abc123'))).toMatchObject({ streamKey: 'abc123' });
  });
});

describe('the stream id', () => {
  it('is the same with every broadcast of one name, and another for each server, application and name', () => {
    const ids = [
      readHook('nginx-rtmp', nginx('publish')),
      readHook('nginx-rtmp', nginx('publish', 'abc124')),
      readHook('nginx-rtmp', nginx('publish').replace('app=live', 'app=other')),
      readHook('srs', srs('on_publish', { stream: 'abc123' })),
      readHook('srs', srs('on_publish', { stream: 'abc123', vhost: 'other' })),
      readHook('mediamtx', mediaMtx('ready')),
      readHook('mediamtx', mediaMtx('ready', 'live/abc123')),
    ].map((hook) => hook?.streamId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(readHook('nginx-rtmp', nginx('publish').replace('clientid=547', 'clientid=1'))?.streamId).toBe(ids[0]);
    // Written down: an upgrade must not make other streams of them.
    expect(ids[0]).toMatchInlineSnapshot(`"2615b496-1a7a-587a-b1af-b750831efe49"`);
  });
});

describe('a hook that names no stream that can be recorded', () => {
  it.each(['', '.hidden', 'a..b', 'a/b', 'a b', 'x'.repeat(129)])('%p is refused', (name) => {
    expect(() => readHook('nginx-rtmp', nginx('publish', encodeURIComponent(name)))).toThrow(/stream_key/);
    expect(() => readHook('srs', srs('on_publish', { stream: name }))).toThrow(/stream_key/);
  });

  it.each(['', '[]', 'null', '{"action":1}', '{', 'call=publish'])('%p is no hook of SRS', (body) => {
    expect(() => readHook('srs', body)).toThrow();
  });
});
