/**
 * A server that goes on with its numbers and its playlist when a publisher comes back, as nginx-rtmp does: the playlist
 * names segments of two broadcasts. Neither waits for the other's, nor fetches them again and again.
 */

import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import { sweepRecording } from '../../../lib/recordings/sweep.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { comparePackets, type Hls, makeHls, packets, referenceRemux } from '../../support/media/index.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

const SHAPE = { segmentSeconds: 2, fps: '25', bframes: 2, audio: [{ codec: 'aac' }] } as const;

let harness: Harness;
let first: Hls;
let second: Hls;

beforeAll(async () => {
  [harness, first, second] = await Promise.all([
    startHarness(),
    makeHls({ ...SHAPE, seconds: 6 }),
    makeHls({ ...SHAPE, seconds: 8 }),
  ]);
});
afterAll(() => harness.stop());

/** Puts segments under the numbers from `from` on, then the playlist that names everything up to them. */
async function upload(streamKey: string, files: readonly string[], from: number): Promise<void> {
  const put = (name: string, bytes: Uint8Array) =>
    harness.store.put('live-segments', `${streamKey}/${name}`, bytes, 'application/octet-stream');
  for (const [index, file] of files.entries()) await put(`${from + index}.ts`, await readFile(file));
  const entries = Array.from({ length: from + files.length }, (_, n) => {
    return `${n === from && n > 0 ? '#EXT-X-DISCONTINUITY\n' : ''}#EXTINF:2.000,\n${n}.ts\n`;
  });
  const head = '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n';
  await put('index.m3u8', Buffer.from(`${head}${entries.join('')}`));
}

/** The store, with a list of what was fetched of the live bucket. */
function counting(store: ObjectStore, fetched: string[]): ObjectStore {
  return alteredStore(store, {
    get: (...asked) => {
      const [bucket, key] = asked;
      if (bucket === 'live-segments') fetched.push(basename(key));
      return store.get(...asked);
    },
  });
}

async function expectExact(filePath: string, segments: readonly string[]): Promise<void> {
  const fetched = await harness.store.get('recordings', filePath.replace(/^recordings\//, ''), 30_000);
  const file = join(harness.env.SCRATCH_DIR ?? '', `../${randomUUID()}.mp4`);
  await writeFile(file, fetched.bytes);
  expect(comparePackets(await packets(file), await packets(await referenceRemux(segments)))).toEqual([]);
}

it('names segments of two broadcasts, and each has its own at once', async () => {
  const stream = { streamId: randomUUID(), streamKey: `key-${randomUUID().slice(0, 8)}` };
  await harness.tell('stream.started', stream);
  await upload(stream.streamKey, first.segments, 0);
  await harness.drain();
  await harness.tell('stream.ended', stream);
  await harness.tell('stream.started', stream);
  await upload(stream.streamKey, second.segments, first.segments.length);
  const [two, one] = await harness.context.recordings.list({ limit: 10, streamId: stream.streamId });
  if (!one || !two) throw new Error('there are no two recordings');
  for (const { id } of [one, two]) await sweepRecording(harness.context, id);

  // All is captured: another look finds nothing to fetch, and nothing that came.
  const fetched: string[] = [];
  const context = harness.variant({}, { store: counting(harness.store, fetched) });
  const before = await Promise.all([one, two].map(({ id }) => context.recordings.find(id)));
  for (const { id } of [one, two]) await sweepRecording(context, id);
  const after = await Promise.all([one, two].map(({ id }) => context.recordings.find(id)));
  expect(fetched.filter((name) => name.endsWith('.ts'))).toEqual([]);
  expect(after.map((row) => row?.lastSegmentAt)).toEqual(before.map((row) => row?.lastSegmentAt));

  await harness.tell('stream.ended', stream);
  await harness.drain();
  const [newer, older] = await harness.context.recordings.list({ limit: 10, streamId: stream.streamId });
  expect([older?.status, newer?.status]).toEqual(['completed', 'completed']);
  await expectExact(older?.filePath ?? '', first.segments);
  await expectExact(newer?.filePath ?? '', second.segments);
}, 60_000);

it('that is captured twice counts as once: it does not put off the end', async () => {
  const stream = { streamId: randomUUID(), streamKey: `key-${randomUUID().slice(0, 8)}` };
  await harness.tell('stream.started', stream);
  await upload(stream.streamKey, first.segments, 0);

  const lastSegmentAt = async () => {
    await captureNotified(harness.context, [`${stream.streamKey}/0.ts`]);
    const [row] = await harness.context.recordings.list({ limit: 1, streamId: stream.streamId });
    return row?.lastSegmentAt;
  };
  const before = await lastSegmentAt();
  expect(before).not.toBeNull();
  expect(await lastSegmentAt()).toEqual(before);
});

it.each([
  ['was written before its end', true],
  ['is written after the next start', false],
])(
  'a short last segment that is uploaded after the next start, and %s, goes where it was written',
  async (_, before) => {
    const short = await makeHls({ ...SHAPE, seconds: 5 });
    const stream = { streamId: randomUUID(), streamKey: `key-${randomUUID().slice(0, 8)}` };
    await harness.tell('stream.started', stream);
    await upload(stream.streamKey, short.segments.slice(0, 2), 0);
    await captureNotified(harness.context, [`${stream.streamKey}/0.ts`, `${stream.streamKey}/1.ts`]);
    const writtenBefore = Date.now();
    await harness.tell('stream.ended', stream);
    await harness.tell('stream.started', stream);
    const last = await readFile((before ? short.segments[2] : second.segments[0]) ?? '');
    const options = { writtenAtMs: before ? writtenBefore : Date.now() };
    await harness.store.put('live-segments', `${stream.streamKey}/2.ts`, last, 'video/mp2t', options);
    await captureNotified(harness.context, [`${stream.streamKey}/2.ts`]);
    await harness.drain();
    const [two, one] = await harness.context.recordings.list({ limit: 10, streamId: stream.streamId });
    const captured = async (id: string | undefined) => (await harness.context.segments.list(id ?? '')).length;
    expect([await captured(one?.id), await captured(two?.id)]).toEqual(before ? [3, 0] : [2, 1]);
  },
);
