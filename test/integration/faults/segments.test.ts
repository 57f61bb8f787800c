/** Segments as damaged as they come: what can be had of them is recorded, the rest is named, and no recording fails. */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import { reportRecording } from '../../../lib/recordings/report.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type FaultyService, serviceWith } from '../../support/faults.ts';
import { type Hls, makeHls, packets, referenceRemux } from '../../support/media/index.ts';
import { withoutTables } from '../../support/media/ts-tools.ts';
import { download, expectExact, type LiveRecording, objectBytes, put, startRecording } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;

beforeAll(async () => {
  [harness, hls] = await Promise.all([
    startHarness(),
    makeHls({ seconds: 8, segmentSeconds: 2, fps: '25', bframes: 2, audio: [{ codec: 'aac' }] }),
  ]);
});
afterAll(() => harness.stop());

/**
 * Past END_GRACE and well within CLOCK_SLACK: the store's clock is not moved on, so that to the service segments seem older by
 * this much.
 */
const PAST_GRACE_MS = 5000;

const pathOf = (place: number) => hls.segments[place] ?? '';

/** The stream, its third segment replaced by these bytes, recorded to its end. */
async function recordWith(service: FaultyService, third: Uint8Array): Promise<LiveRecording> {
  const recording = await startRecording(harness, hls);
  await put(harness, recording.streamKey, [pathOf(0), pathOf(1)]);
  await harness.store.put('live-segments', `${recording.streamKey}/segment_002.ts`, third, 'video/mp2t');
  await put(harness, recording.streamKey, [pathOf(3)]);
  await harness.tell('stream.ended', recording);
  service.later(PAST_GRACE_MS);
  await service.monitor();
  expect(await recording.row()).toMatchObject({ status: 'completed' });
  return recording;
}

it('a truncated one is recorded as far as it goes, and named as damaged', async () => {
  const service = serviceWith(harness);
  const whole = await readFile(pathOf(2));
  // In the middle of a packet.
  const recording = await recordWith(service, whole.subarray(0, Math.floor(whole.length / 376) * 188 + 100));
  const report = await reportRecording(service.context, recording.id);
  expect(report).toMatchObject({ complete: false, segments: { captured: 4, left_out: 0, damaged: 1 } });
  expect(report.damaged).toMatchObject([{ name: 'segment_002.ts', notes: [expect.stringMatching(/\d/)] }]);
  // Half a packet would be in the way of whoever plays the segment behind it.
  const kept = (await harness.context.segments.list(recording.id)).find(({ nameNumber }) => nameNumber === 2);
  expect((await objectBytes(harness, kept?.stagedKey ?? '')).length % 188).toBe(0);
  const [video] = await packets(await download(harness, (await recording.row()).filePath));
  const [all] = await packets(await referenceRemux(hls.segments));
  const [without] = await packets(await referenceRemux([pathOf(0), pathOf(1), pathOf(3)]));
  expect(video?.packets.length).toBeGreaterThan(without?.packets.length ?? 0);
  expect(video?.packets.length).toBeLessThan(all?.packets.length ?? 0);
});

describe('one that was cut without its tables is read with those of its neighbour', () => {
  it.each([
    ['captured already', 2, 'swept'],
    ['that is captured with it', 0, 'swept'],
    ['that is told later', 0, 'notified'],
  ])('%s', async (_, bare, how) => {
    const service = serviceWith(harness);
    const recording = await startRecording(harness, hls);
    for (const [place, path] of hls.segments.entries()) {
      const key = `${recording.streamKey}/${basename(path)}`;
      const whole = await readFile(path);
      await harness.store.put('live-segments', key, place === bare ? withoutTables(whole) : whole, 'video/mp2t');
      if (how === 'notified') await captureNotified(harness.context, [key]);
      else if (place === bare - 1) await recording.upload();
    }
    await recording.end();
    const report = await reportRecording(service.context, recording.id);
    expect(report).toMatchObject({ segments: { captured: 4, left_out: 0 } });
    await expectExact(harness, (await recording.row()).filePath, hls.segments);
  });
});

it('one without tables is left out with the reason where no other has any', async () => {
  const recording = await startRecording(harness, hls);
  const bytes = withoutTables(await readFile(pathOf(0)));
  await harness.store.put('live-segments', `${recording.streamKey}/segment_000.ts`, bytes, 'video/mp2t');
  await recording.end();
  expect(await recording.row()).toMatchObject({ status: 'failed' });
  const report = await reportRecording(harness.context, recording.id);
  expect(report.left_out).toMatchObject([
    { name: 'segment_000.ts', reason: expect.stringMatching(/^SEGMENT_NO_PROGRAM/) },
  ]);
});

it.each([
  ['no bytes', Buffer.alloc(0), /^SEGMENT_EMPTY/],
  ['a page', Buffer.from('<html>502 Bad Gateway</html>'.repeat(100)), /^SEGMENT_NOT_TS/],
  ['noise', Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 251)), /^SEGMENT_/],
])('one of %s is left out with the reason, and the others are exact', async (_what, bytes, reason) => {
  const service = serviceWith(harness);
  const recording = await recordWith(service, bytes);
  const report = await reportRecording(service.context, recording.id);
  expect(report).toMatchObject({ complete: false, segments: { expected: 4, captured: 3, left_out: 1 } });
  expect(report.left_out).toMatchObject([{ name: 'segment_002.ts', reason: expect.stringMatching(reason) }]);
  const [video] = await packets(await download(harness, (await recording.row()).filePath), { hash: true });
  const runs = [await referenceRemux([pathOf(0), pathOf(1)]), await referenceRemux([pathOf(3)])];
  const expected = await Promise.all(runs.map(async (run) => (await packets(run, { hash: true }))[0]?.packets ?? []));
  expect(video?.packets.map(({ hash }) => hash)).toEqual(expected.flat().map(({ hash }) => hash));
  expect(service.log.lines).toContainEqual(
    expect.objectContaining({ level: 'warn', message: 'Segment rejected; it is left out of the recording' }),
  );
});

it('one that is too large to look at is left out with the reason, unread, and found again by no sweep', async () => {
  let gets = 0;
  const get: ObjectStore['get'] = (bucket, key, timeoutMs, memory, maxBytes) => {
    if (bucket === 'live-segments' && key.endsWith('_002.ts')) gets += 1;
    // As large as memory allows would take this test too long: what counts is a limit and a larger object.
    return harness.store.get(bucket, key, timeoutMs, memory, maxBytes && 1_000_000);
  };
  const store = alteredStore(harness.store, { get });
  const service = serviceWith(harness, {}, { store });
  const recording = await recordWith(service, Buffer.alloc(1_000_001));
  // A look that was not sure yet whose it is may have come before.
  const looks = gets;
  await service.monitor();
  expect([looks > 0, gets]).toEqual([true, looks]);
  const report = await reportRecording(service.context, recording.id);
  expect(report.left_out).toMatchObject([
    { name: 'segment_002.ts', reason: 'SEGMENT_TOO_LARGE: 1000001 bytes, at most 1000000 are read at once' },
  ]);
});

it('of files that are named by the stream key, as streaming servers do, neither log nor report tells it', async () => {
  const service = serviceWith(harness);
  const recording = await startRecording(harness, hls);
  const { streamKey } = recording;
  const whole = await readFile(pathOf(0));
  const store = (number: number, bytes: Uint8Array) =>
    harness.store.put('live-segments', `${streamKey}/${streamKey}-${number}.ts`, bytes, 'video/mp2t');
  await store(0, whole.subarray(0, Math.floor(whole.length / 376) * 188 + 100));
  await store(1, Buffer.from('<html>502 Bad Gateway</html>'.repeat(100)));
  // The third is missing.
  await store(3, await readFile(pathOf(3)));
  await harness.tell('stream.ended', recording);
  service.later(PAST_GRACE_MS);
  await service.monitor();
  expect(await recording.row()).toMatchObject({ status: 'completed' });
  const report = await reportRecording(service.context, recording.id);
  expect([...report.damaged, ...report.left_out].map(({ name }) => name).sort()).toEqual([
    '…-0.ts',
    '…-1.ts',
    '…-2.ts',
  ]);
  expect(JSON.stringify(report)).not.toContain(streamKey);
  expect(service.log.text()).toContain('📥 Downloading segment: …-0.ts');
  expect(service.log.revealing(streamKey)).toEqual([]);
});

it('a whole stream is exact through the same steps', async () => {
  const service = serviceWith(harness);
  const recording = await recordWith(service, await readFile(pathOf(2)));
  await expectExact(harness, (await recording.row()).filePath, hls.segments);
});
