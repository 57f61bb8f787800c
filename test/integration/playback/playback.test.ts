/** Watching over HTTP: a recording that goes on, one that failed, one that is finished, and what is left of it later. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { routes } from '../../../functions/playback.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { callerOf } from '../../support/lambda.ts';
import { comparePackets, fullDecode, makeHls, packets } from '../../support/media/index.ts';
import {
  finishedRecording,
  type LiveRecording,
  objectBytes,
  startRecording,
  useRecorder,
} from '../../support/recorded.ts';
import { startHarness } from '../../support/service-harness.ts';

const at = useRecorder(routes, {
  seconds: 12,
  segmentSeconds: 2,
  fps: '30000/1001',
  bframes: 2,
  audio: [{ codec: 'aac' }],
});

interface Line {
  readonly uri: string;
  readonly seconds: number;
  readonly discontinuity: boolean;
}

/** The playlist's text, and its media in order. */
async function playlist(id: string, query: Record<string, string> = {}) {
  const answer = await at.call('GET', `/recording/${id}/index.m3u8`, { query });
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/vnd.apple.mpegurl');
  const lines: Line[] = [];
  let discontinuity = false;
  let seconds = 0;
  for (const line of answer.text.split('\n')) {
    if (line === '#EXT-X-DISCONTINUITY') discontinuity = true;
    if (line.startsWith('#EXTINF:')) seconds = Number.parseFloat(line.slice(8));
    if (line === '' || line.startsWith('#')) continue;
    lines.push({ uri: line, seconds, discontinuity });
    discontinuity = false;
  }
  return { text: answer.text, lines, map: /EXT-X-MAP:URI="([^"]+)"/.exec(answer.text)?.[1] };
}

async function media(id: string, uri: string): Promise<Buffer> {
  const [path = '', query = ''] = uri.split('?');
  const answer = await at.call('GET', `/recording/${id}/${path}`, {
    query: Object.fromEntries(new URLSearchParams(query)),
  });
  expect(answer.status).toBe(200);
  return Buffer.from(answer.text, 'base64');
}

const seconds = (lines: readonly Line[]) => lines.reduce((sum, line) => sum + line.seconds, 0);
const segmentBytes = (place: number) => readFile(at.hls.segments[place] ?? '');

describe('the playlist of a recording that goes on', () => {
  it('has the captured segments from the first one, grows at its end only, and ends when the recording has', async () => {
    const recording = await startRecording(at.harness, at.hls);
    await recording.upload(0, 1);
    const first = await playlist(recording.id);
    expect(first.text).toContain('#EXT-X-PLAYLIST-TYPE:EVENT');
    expect(first.text).not.toContain('#EXT-X-ENDLIST');
    expect(first.lines).toHaveLength(2);
    expect(await media(recording.id, first.lines[0]?.uri ?? '')).toEqual(await segmentBytes(0));

    await recording.upload(2, 3);
    const second = await playlist(recording.id);
    expect(second.lines.slice(0, 2)).toEqual(first.lines);
    expect(second.lines).toHaveLength(4);

    await recording.upload(4, 5);
    await recording.end();
    const last = await playlist(recording.id);
    expect(last.text).toContain('#EXT-X-PLAYLIST-TYPE:VOD');
    expect(last.text.trimEnd()).toMatch(/#EXT-X-ENDLIST$/);
    expect(last.lines.slice(0, 4)).toEqual(second.lines);
    expect(seconds(last.lines)).toBeCloseTo(12, 1);
  });

  it('does not pass a segment that is still waited for, and passes it once it is given up', async () => {
    const patient = await startHarness({ SEGMENT_RETRY_DELAY: '60s' });
    try {
      const recording = await startRecording(patient, at.hls);
      const sweep = async (places: number[]) => {
        for (const place of places) {
          const name = `segment_00${place}.ts`;
          await patient.store.put(
            'live-segments',
            `${recording.streamKey}/${name}`,
            await segmentBytes(place),
            'video/mp2t',
          );
        }
        const { sweepRecording } = await import('../../../lib/recordings/sweep.ts');
        await sweepRecording(patient.context, recording.id);
      };
      await sweep([0, 1, 3]);
      const ask = async () =>
        (await callerOf(routes, patient.context)('GET', `/recording/${recording.id}/index.m3u8`)).text.match(/EXTINF/g);
      expect(await ask()).toHaveLength(2);
      await sweep([2]);
      expect(await ask()).toHaveLength(4);
    } finally {
      await patient.stop();
    }
  });

  it('marks where the timestamps do not continue', async () => {
    const recording = await finishedRecording(at.harness, at.hls, [2]);
    const { lines } = await playlist(recording.id);
    expect(lines.map((line) => line.discontinuity)).toEqual([false, false, true, false, false]);
  });

  it('is 404 until something is captured', async () => {
    const recording = await startRecording(at.harness, at.hls);
    const answer = await at.call('GET', `/recording/${recording.id}/index.m3u8`);
    expect(answer.status).toBe(404);
    expect(answer.json.error).toMatch(/yet/);
  });

  it('costs a viewer nothing while it is the same', async () => {
    const recording = await startRecording(at.harness, at.hls);
    await recording.upload(0);
    const { headers } = await at.call('GET', `/recording/${recording.id}/index.m3u8`);
    const again = await at.call('GET', `/recording/${recording.id}/index.m3u8`, {
      headers: { 'if-none-match': headers.etag ?? '' },
    });
    expect(again.status).toBe(304);
  });
});

describe('a recording that failed', () => {
  it('plays from its captured segments all the same', async () => {
    const recording = await startRecording(at.harness, at.hls);
    await recording.upload(0, 1, 2);
    await at.harness.context.db.query(
      `UPDATE recordings SET status = 'failed', failure_code = 'FFMPEG_FAILED', completed_at = now() WHERE id = $1`,
      [recording.id],
    );
    const { lines, text } = await playlist(recording.id);
    expect(lines).toHaveLength(3);
    expect(text).toContain('#EXT-X-ENDLIST');
  });
});

describe('a finished recording whose captured segments are gone', () => {
  let recording: LiveRecording;
  beforeAll(async () => {
    recording = await finishedRecording(at.harness, at.hls);
    await removeStaging(at.harness.variant({ LATE_SEGMENT_WINDOW: '0s' }));
  });

  it('plays from its file, and every packet of it arrives', async () => {
    const { lines, map, text } = await playlist(recording.id);
    expect(text).toContain('#EXT-X-ENDLIST');
    expect(lines[0]?.uri).toMatch(/^fragments\/0\.m4s\?v=/);
    expect(seconds(lines)).toBeCloseTo(12, 1);
    const joined = join(at.dir, 'joined.mp4');
    const parts = [await media(recording.id, map ?? '')];
    for (const line of lines) parts.push(await media(recording.id, line.uri));
    await writeFile(joined, Buffer.concat(parts));
    const source = join(at.dir, 'source.mp4');
    await writeFile(source, await objectBytes(at.harness, `${recording.streamKey}.mp4`));
    const hashesOf = async (file: string) =>
      (await packets(file, { hash: true })).map((stream) => ({
        ...stream,
        packets: stream.packets.map((packet) => ({ ...packet, pts: 0, dts: 0 })),
      }));
    expect(comparePackets(await hashesOf(joined), await hashesOf(source))).toEqual([]);
    await fullDecode(joined);
  });

  it('has no segments any more, and says so', async () => {
    const { rows } = await at.harness.context.db.query<{ id: number }>(
      'SELECT id FROM recording_segments WHERE recording_id = $1 LIMIT 1',
      [recording.id],
    );
    const answer = await at.call('GET', `/recording/${recording.id}/segments/${rows[0]?.id}.ts`);
    expect(answer.status).toBe(404);
  });

  it('never mixes fragments of two files', async () => {
    const answer = await at.call('GET', `/recording/${recording.id}/fragments/0.m4s`, { query: { v: 'another' } });
    expect(answer.status).toBe(404);
    expect(answer.json.error).toMatch(/made anew/);
  });

  it('is asked for again where the URI does not say of which file it is', async () => {
    for (const path of ['init.mp4', 'fragments/0.m4s']) {
      const { status, headers } = await at.call('GET', `/recording/${recording.id}/${path}`);
      expect([status, headers['cache-control']]).toEqual([200, 'private, no-cache']);
    }
    const { lines, map } = await playlist(recording.id);
    for (const uri of [map ?? '', lines[0]?.uri ?? '']) {
      const [path, query] = uri.split('?');
      const answer = await at.call('GET', `/recording/${recording.id}/${path}`, {
        query: Object.fromEntries(new URLSearchParams(query)),
      });
      expect(answer.headers['cache-control']).toContain('immutable');
    }
  });

  it.each(['fragments/99.m4s', 'fragments/x.m4s', 'fragments/0.mp4', 'segments/1', 'segments/..%2f.ts'])(
    'has no %s',
    async (path) => {
      expect((await at.call('GET', `/recording/${recording.id}/${path}`)).status).toBe(404);
    },
  );
});

describe('a recording of the engine, rolled in parts while it was live', () => {
  it('has one playlist throughout, the discontinuities where they were', async () => {
    const rolled = await startHarness({ PART_SIZE: '5242880' });
    // Constant bit rate: 8 Mbit/s fill a part of 5 MiB in five seconds.
    const cbr = ['-b:v', '8M', '-minrate', '8M', '-maxrate', '8M', '-bufsize', '4M', '-x264-params', 'nal-hrd=cbr'];
    const large = await makeHls({
      seconds: 24,
      segmentSeconds: 2,
      fps: '30000/1001',
      bframes: 2,
      audio: [{ codec: 'aac' }],
      extra: cbr,
    });
    try {
      const recording = await startRecording(rolled, large);
      await recording.upload(0, 1, 2, 3, 5, 6, 7);
      const count = async () =>
        (
          await rolled.context.db.query<{ placed: number }>(
            'SELECT count(position)::int AS placed FROM recording_segments WHERE recording_id = $1',
            [recording.id],
          )
        ).rows[0]?.placed;
      expect(await count()).toBeGreaterThan(0);
      const caller = callerOf(routes, rolled.context);
      const text = async () => (await caller('GET', `/recording/${recording.id}/index.m3u8`)).text;
      const live = await text();
      expect(live.match(/EXTINF/g)).toHaveLength(7);
      expect(live.match(/EXT-X-DISCONTINUITY$/gm)).toHaveLength(1);
      await recording.upload(8, 9, 10, 11);
      await recording.end();
      const ended = await text();
      expect((await recording.row()).facts.engine).toBe('parts');
      expect(ended.match(/EXTINF/g)).toHaveLength(11);
      expect(ended.match(/EXT-X-DISCONTINUITY$/gm)).toHaveLength(1);
      const file = (await caller('GET', `/recording/${recording.id}/index.m3u8`, { query: { from: 'file' } })).text;
      const total = [...file.matchAll(/EXTINF:([\d.]+)/g)].reduce((sum, [, value]) => sum + Number(value), 0);
      expect(total).toBeCloseTo(22, 0);
    } finally {
      await rolled.stop();
    }
  });
});
