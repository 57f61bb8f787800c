/** Posters, storyboards and the sound alone, of recordings that run, are finished, or have only sound. */
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { routes } from '../../../functions/pictures.ts';
import { makePosters } from '../../../lib/recordings/poster.ts';
import { removeStaging } from '../../../lib/recordings/remove-staging.ts';
import { StorageUnavailable } from '../../../lib/storage/errors.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { ffmpeg, fullDecode, makeHls, packets } from '../../support/media/index.ts';
import { finishedRecording, objectBytes, startRecording, useRecorder } from '../../support/recorded.ts';

const at = useRecorder(routes, {
  seconds: 12,
  segmentSeconds: 2,
  fps: '25',
  bframes: 2,
  audio: [{ codec: 'aac' }],
});

/** All pictures that are due now, whatever the pause between two looks. */
async function makeAll(): Promise<void> {
  await at.harness.context.segments.updateDurations(new Date());
  await at.harness.context.db.query('UPDATE recording_pictures SET lease_until = NULL WHERE NOT done');
  await makePosters(at.harness.context, 20_000);
}

async function jpegSize(id: string, name: string): Promise<string | undefined> {
  const answer = await at.call('GET', `/recording/${id}/${name}.jpg`);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('image/jpeg');
  const path = join(at.dir, 'picture.jpg');
  await writeFile(path, Buffer.from(answer.text, 'base64'));
  const { stderr } = await ffmpeg(['-hide_banner', '-i', path, '-f', 'null', '-']);
  return /Video: mjpeg.*? (\d+x\d+)/.exec(stderr)?.[1];
}

const cues = async (id: string) =>
  (await at.call('GET', `/recording/${id}/storyboard.vtt`)).text.match(/ --> /g)?.length ?? 0;

describe('pictures of a recording', () => {
  it('are made while it runs, are more when it is finished, and leave nothing behind', async () => {
    const recording = await startRecording(at.harness, at.hls);
    expect((await at.call('GET', `/recording/${recording.id}/poster.jpg`)).status).toBe(204);
    expect((await at.call('GET', `/recording/${recording.id}/storyboard.vtt`)).text).toBe('WEBVTT\n');
    await recording.upload(0, 1);
    await makeAll();
    expect(await jpegSize(recording.id, 'poster')).toMatch(/^640x/);
    expect(await cues(recording.id)).toBe(2);
    await recording.upload(2, 3, 4, 5);
    await recording.end();
    await makeAll();
    expect(await cues(recording.id)).toBe(6);
    expect(await jpegSize(recording.id, 'storyboard')).toMatch(/^960x/);
    const left = await at.harness.store.list('recordings', `pictures/${recording.id}/`);
    expect(left.objects.map((object) => object.key.split('/').at(-1))).toEqual(['poster.jpg', 'storyboard.jpg']);
  });

  it('are taken from the file where the captured segments are gone', async () => {
    const recording = await finishedRecording(at.harness, at.hls);
    await removeStaging(at.harness.variant({ LATE_SEGMENT_WINDOW: '0s' }));
    await makeAll();
    expect(await cues(recording.id)).toBe(6);
    expect(await jpegSize(recording.id, 'poster')).toMatch(/^640x/);
    expect(await jpegSize(recording.id, 'storyboard')).toMatch(/^960x/);
  });

  it('go on in the next round where time was up', async () => {
    const recording = await finishedRecording(at.harness, at.hls);
    let now = Date.now();
    const hurried = at.harness.variant({}, { clock: { ...at.harness.context.clock, now: () => (now += 400) } });
    let rounds = 0;
    while ((await cues(recording.id)) < 6) {
      await makePosters(hurried, 1000);
      rounds += 1;
      expect(rounds).toBeLessThan(40);
    }
    expect(rounds).toBeGreaterThan(1);
  });

  it('pass over what is damaged', async () => {
    const recording = await startRecording(at.harness, at.hls);
    await recording.upload(0, 1, 2);
    const { rows } = await at.harness.context.db.query<{ key: string }>(
      'SELECT staged_key AS key FROM recording_segments WHERE recording_id = $1 ORDER BY id OFFSET 1 LIMIT 1',
      [recording.id],
    );
    await at.harness.store.put('recordings', rows[0]?.key ?? '', new Uint8Array(188 * 10), 'video/mp2t');
    await makeAll();
    expect(await cues(recording.id)).toBe(3);
    expect(await jpegSize(recording.id, 'storyboard')).toMatch(/^480x/);
  });

  it('are made when the store answers again', async () => {
    const recording = await finishedRecording(at.harness, at.hls);
    const { store, context } = at.harness;
    const silent = alteredStore(store, {
      get: async (bucket) => {
        throw new StorageUnavailable(`GetObject ${bucket}: no answer`);
      },
    });
    await makePosters(at.harness.variant({}, { store: silent }), 20_000);
    await context.db.query('UPDATE recording_pictures SET lease_until = NULL');
    await makeAll();
    expect(await cues(recording.id)).toBe(6);
    expect(await jpegSize(recording.id, 'poster')).toMatch(/^640x/);
  });

  it('are made anew with a recording that a late segment makes longer', async () => {
    const recording = await finishedRecording(at.harness, at.hls, [1, 2]);
    await makeAll();
    expect(await cues(recording.id)).toBe(4);
    await recording.upload(1, 2);
    await at.harness.drain();
    expect((await recording.row()).generation).toBe(2);
    await makeAll();
    expect(await cues(recording.id)).toBe(6);
    expect(await jpegSize(recording.id, 'storyboard')).toMatch(/^960x/);
  });

  it('are made where the first picture comes after a while of sound', async () => {
    const sound = await makeHls({ seconds: 24, segmentSeconds: 2, video: 'none', audio: [{ codec: 'aac' }] });
    const segments: string[] = [];
    for (const [place, path] of [...sound.segments.slice(0, 11), ...at.hls.segments.slice(0, 2)].entries()) {
      segments.push(join(at.dir, `segment_${String(place).padStart(3, '0')}.ts`));
      await copyFile(path, segments[place] ?? '');
    }
    const recording = await finishedRecording(at.harness, { ...at.hls, segments });
    await makeAll();
    expect(await jpegSize(recording.id, 'poster')).toMatch(/^640x/);
  });

  it('are not made of sound, and that is the end of it', async () => {
    const sound = await makeHls({ seconds: 6, segmentSeconds: 2, video: 'none', audio: [{ codec: 'aac' }] });
    const recording = await finishedRecording(at.harness, sound);
    await makeAll();
    expect((await at.call('GET', `/recording/${recording.id}/poster.jpg`)).status).toBe(204);
    const { rows } = await at.harness.context.db.query<{ done: boolean }>(
      'SELECT done FROM recording_pictures WHERE recording_id = $1',
      [recording.id],
    );
    expect(rows[0]?.done).toBe(true);
  });
});

describe('the sound alone', () => {
  it('is every packet of sound of the recording, made once', async () => {
    const recording = await finishedRecording(at.harness, at.hls);
    const first = await at.call('GET', `/recording/${recording.id}/audio.m4a`);
    expect(first.status).toBe(302);
    expect(first.headers.location).toContain(`clips/${recording.id}/audio-1.m4a`);
    const path = join(at.dir, 'audio.m4a');
    await writeFile(path, await objectBytes(at.harness, `clips/${recording.id}/audio-1.m4a`));
    await fullDecode(path);
    const whole = join(at.dir, 'whole.mp4');
    await writeFile(whole, await objectBytes(at.harness, `${recording.streamKey}.mp4`));
    const sound = (await packets(whole, { hash: true })).find((stream) => stream.codec === 'aac');
    const [alone, ...others] = await packets(path, { hash: true });
    expect(others).toEqual([]);
    expect(alone?.packets.map((packet) => packet.hash)).toEqual(sound?.packets.map((packet) => packet.hash));
    const { modifiedAtMs } = (await at.harness.store.head('recordings', `clips/${recording.id}/audio-1.m4a`)) ?? {};
    await at.call('GET', `/recording/${recording.id}/audio.m4a`);
    const again = await at.harness.store.head('recordings', `clips/${recording.id}/audio-1.m4a`);
    expect(again?.modifiedAtMs).toBe(modifiedAtMs);
  });

  it('cannot be had before the recording is finished, nor where there is none', async () => {
    const recording = await startRecording(at.harness, at.hls);
    expect((await at.call('GET', `/recording/${recording.id}/audio.m4a`)).status).toBe(409);
    const silent = await finishedRecording(at.harness, await makeHls({ seconds: 6, fps: '25', audio: [] }));
    const answer = await at.call('GET', `/recording/${silent.id}/audio.m4a`);
    expect(answer.status).toBe(422);
    expect(answer.json.error).toBe('The recording has no sound');
  });
});
