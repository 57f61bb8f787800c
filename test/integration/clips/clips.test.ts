/** Clips over HTTP: of finished and running recordings, what is refused, and what takes more than one round. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { routes } from '../../../functions/clips.ts';
import { clipSchema } from '../../../lib/recordings/clips.ts';
import { makeCut } from '../../../lib/recordings/clips-make.ts';
import { callerOf } from '../../support/lambda.ts';
import { assertFaststart, fullDecode, makeHls, packets } from '../../support/media/index.ts';
import {
  finishedRecording,
  type LiveRecording,
  objectBytes,
  startRecording,
  useRecorder,
} from '../../support/recorded.ts';

const at = useRecorder(routes, {
  seconds: 20,
  segmentSeconds: 2,
  fps: '30000/1001',
  bframes: 2,
  audio: [{ codec: 'aac' }],
});

async function clip(id: string, body: unknown) {
  const answer = await at.call('POST', `/recording/${id}/clips`, { body });
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 201 });
  return clipSchema.parse(answer.json.clip);
}

async function clipFile(recordingId: string, clipId: string): Promise<string> {
  const path = join(at.dir, `${clipId}.mp4`);
  await writeFile(path, await objectBytes(at.harness, `clips/${recordingId}/${clipId}.mp4`));
  return path;
}

async function videoSeconds(path: string): Promise<number> {
  const video = (await packets(path)).find((stream) => stream.codec === 'h264');
  return (video?.packets.length ?? 0) / (30_000 / 1001);
}

describe('a clip of a finished recording', () => {
  let recording: LiveRecording;
  beforeAll(async () => {
    recording = await finishedRecording(at.harness, at.hls);
  });

  it('begins with the key frame before its start, plays, is listed and can be downloaded', async () => {
    const made = await clip(recording.id, { start: 5, end: 9, title: 'The goal' });
    expect(made).toMatchObject({ status: 'ready', title: 'The goal', start: 5, end: 9, error: null });
    expect(made.from).toBeGreaterThan(3.9);
    expect(made.from).toBeLessThan(4.2);
    expect(made.duration).toBeGreaterThan(4.8);
    expect(made.duration).toBeLessThan(5.2);
    const path = await clipFile(recording.id, made.id);
    await assertFaststart(path);
    await fullDecode(path);
    expect(await videoSeconds(path)).toBeCloseTo(made.duration ?? 0, 0);

    const second = await clip(recording.id, { start: 0, end: 2 });
    const listed = await at.call('GET', `/recording/${recording.id}/clips`);
    expect(listed.json.clips.map((one: { id: string }) => one.id)).toEqual([second.id, made.id]);

    const call = callerOf(routes, at.harness.variant({ DOWNLOAD_LINK_TTL: '90s' }));
    const download = await call('GET', `/recording/${recording.id}/clips/${made.id}/download`);
    expect(download.status).toBe(302);
    const link = new URL(download.headers.location ?? '').searchParams;
    expect(link.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/);
    expect(link.get('X-Amz-Expires')).toBe('90');
    expect(link.get('response-content-disposition')).toContain('filename="The_goal.mp4"');
  });

  it('is saved under its title in any script, without what a file name cannot have', async () => {
    const { id } = await clip(recording.id, { start: 0, end: 2, title: 'Гол: «1/0» \u202Eexe' });
    const s3 = `http://${at.harness.context.config.MINIO_ENDPOINT}`;
    const call = callerOf(routes, at.harness.variant({ PUBLIC_URL_BASE: s3 }));
    const answer = await call('GET', `/recording/${recording.id}/clips/${id}/download`);
    const file = await fetch(answer.headers.location ?? '');
    expect(file.status).toBe(200);
    const disposition = file.headers.get('content-disposition') ?? '';
    expect(disposition).toMatch(/^attachment; filename="[A-Za-z0-9._-]+\.mp4"; filename\*=UTF-8''[A-Za-z0-9._%-]+$/);
    expect(decodeURIComponent(disposition.split("''")[1] ?? '')).toBe('Гол_ «1_0» _exe.mp4');
  });

  it('is one of 200 at most, since anybody may cut one', async () => {
    const { id } = await finishedRecording(at.harness, at.hls);
    await at.harness.context.db.query(
      `INSERT INTO recording_cuts (id, recording_id, kind, generation, start_ms, end_ms, object_key, status, created_at)
       SELECT gen_random_uuid(), $1, 'clip', 1, 0, 1000, 'clips/' || n, 'ready', now() FROM generate_series(1, 199) n`,
      [id],
    );
    await clip(id, { start: 0, end: 2 });
    const answer = await at.call('POST', `/recording/${id}/clips`, { body: { start: 0, end: 2 } });
    expect([answer.status, answer.json]).toEqual([409, { error: 'A recording has at most 200 clips' }]);
  });

  it('ends with the recording where its end is later', async () => {
    const made = await clip(recording.id, { start: 18.5, end: 1000 });
    expect(made.end).toBeGreaterThan(19.9);
    expect(made.end).toBeLessThan(20.2);
  });

  it.each([
    [{ start: 5, end: 5 }, 400, /end: has to be later than start/],
    [{ start: 9, end: 5 }, 400, /end: has to be later than start/],
    [{ start: -1, end: 5 }, 400, /start/],
    [{ start: '1', end: 5 }, 400, /start/],
    [{ start: 1 }, 400, /end/],
    [{ start: 1, end: 5, title: '' }, 400, /title/],
    [{ start: 1, end: 5, title: 'a\u0000b' }, 400, /title/],
    [{ start: 1, end: 5, colour: 'red' }, 400, /colour/],
    [{ start: 100, end: 105 }, 422, /is 20\.\d s long/],
  ])('is refused with a reason: %j', async (body, status, message) => {
    const answer = await at.call('POST', `/recording/${recording.id}/clips`, { body });
    expect(answer.status).toBe(status);
    expect(answer.json.error).toMatch(message);
  });

  it('is not found where there is none', async () => {
    const nobody = '3f2a5b7e-0000-4000-8000-000000000000';
    expect((await at.call('GET', `/recording/${recording.id}/clips/${nobody}/download`)).status).toBe(404);
    expect((await at.call('GET', `/recording/${nobody}/clips`)).json).toEqual({ error: 'Recording not found' });
    const answer = await at.call('POST', `/recording/${nobody}/clips`, { body: { start: 0, end: 1 } });
    expect(answer.status).toBe(404);
  });
});

describe('a clip of a running recording', () => {
  it('is made of what is captured, and stays when the recording is finished', async () => {
    const recording = await startRecording(at.harness, at.hls);
    await recording.upload(0, 1, 2, 3);
    const made = await clip(recording.id, { start: 3, end: 7 });
    expect(made).toMatchObject({ status: 'ready', start: 3, end: 7 });
    expect(made.from).toBeGreaterThan(1.9);
    expect(made.from).toBeLessThan(2.2);
    const path = await clipFile(recording.id, made.id);
    await fullDecode(path);
    expect(await videoSeconds(path)).toBeGreaterThan(4.8);
    expect(await videoSeconds(path)).toBeLessThan(5.3);

    await recording.upload(4, 5);
    await recording.end();
    expect((await at.call('GET', `/recording/${recording.id}/clips`)).json.clips).toHaveLength(1);
    // The same stretch of the finished file has the same pictures.
    const again = await clip(recording.id, { start: 3, end: 7 });
    const [before, after] = [
      await packets(path, { hash: true }),
      await packets(await clipFile(recording.id, again.id), { hash: true }),
    ];
    const pictures = (streams: typeof before) =>
      streams.find((stream) => stream.codec === 'h264')?.packets.map((packet) => packet.hash);
    // A frame or three more or less at the end: the clock of a running recording is that of its segments.
    const common = Math.min(pictures(before)?.length ?? 0, pictures(after)?.length ?? 0);
    expect(common).toBeGreaterThan(145);
    expect(pictures(after)?.slice(0, common)).toEqual(pictures(before)?.slice(0, common));
  });

  it('reaches across a gap', async () => {
    const recording = await startRecording(at.harness, at.hls);
    await recording.upload(0, 1, 3, 4);
    const made = await clip(recording.id, { start: 1, end: 7 });
    await fullDecode(await clipFile(recording.id, made.id));
    expect(made.duration).toBeGreaterThan(6.5);
  });

  it('is refused where nothing is captured yet', async () => {
    const recording = await startRecording(at.harness, at.hls);
    const answer = await at.call('POST', `/recording/${recording.id}/clips`, { body: { start: 0, end: 5 } });
    expect(answer.status).toBe(422);
    await recording.upload(0);
    const later = await at.call('POST', `/recording/${recording.id}/clips`, { body: { start: 3, end: 5 } });
    expect(later.json.error).toMatch(/2\.0 s long so far/);
  });
});

describe('a clip that is not made at once', () => {
  it('goes on in the next round with the parts that are stored, and is the same file', async () => {
    const cbr = ['-b:v', '20M', '-minrate', '20M', '-maxrate', '20M', '-bufsize', '10M', '-x264-params', 'nal-hrd=cbr'];
    const heavy = await makeHls({
      seconds: 16,
      segmentSeconds: 2,
      fps: '30000/1001',
      audio: [{ codec: 'aac' }],
      extra: cbr,
    });
    const recording = await finishedRecording(at.harness, heavy);
    // Time is up after a few looks at the clock: an upload of several parts needs several rounds.
    let now = Date.now();
    const hurried = at.harness.variant({}, { clock: { ...at.harness.context.clock, now: () => (now += 4000) } });
    const answer = await callerOf(routes, hurried)('POST', `/recording/${recording.id}/clips`, {
      body: { start: 0, end: 16 },
    });
    expect(answer.status).toBe(202);
    const { id } = clipSchema.parse(answer.json.clip);
    const listed = async () =>
      clipSchema.parse((await at.call('GET', `/recording/${recording.id}/clips`)).json.clips[0]);
    let rounds = 0;
    while ((await listed()).status === 'pending') {
      await makeCut(hurried, null, 15_000);
      rounds += 1;
      expect(rounds).toBeLessThan(50);
    }
    expect(rounds).toBeGreaterThan(0);
    expect(await listed()).toMatchObject({ id, status: 'ready' });
    const path = await clipFile(recording.id, id);
    await fullDecode(path);
    expect(await videoSeconds(path)).toBeGreaterThan(15.5);
    expect(await at.harness.store.listUploads('recordings')).toEqual([]);
  });

  it('says why it could not be made', async () => {
    const recording = await startRecording(at.harness, at.hls);
    await recording.upload(0, 1);
    const broken = at.harness.variant(
      {},
      {
        ffmpeg: () => {
          throw Object.assign(new Error('no ffmpeg here'), { code: 'X' });
        },
      },
    );
    const answer = await callerOf(routes, broken)('POST', `/recording/${recording.id}/clips`, {
      body: { start: 0, end: 3 },
    });
    // It is tried again in the background: what is missing may come back.
    expect(answer.status).toBe(202);
    await at.harness.context.db.query('UPDATE recording_cuts SET lease_until = NULL WHERE recording_id = $1', [
      recording.id,
    ]);
    await makeCut(at.harness.context, clipSchema.parse(answer.json.clip).id, 10_000);
    expect((await at.call('GET', `/recording/${recording.id}/clips`)).json.clips[0].status).toBe('ready');
  });
});
