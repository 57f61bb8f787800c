/** An object that two functions capture at once and judge differently is one recording's all the same. */

import { basename } from 'node:path';
import { captureNotified } from '../../../lib/recordings/capture-notified.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import type { SegmentRepository } from '../../../lib/recordings/segment-repository.ts';
import { sweepRecording } from '../../../lib/recordings/sweep.ts';
import { alteredStore } from '../../support/altered-store.ts';
import { type Hls, makeHls } from '../../support/media/index.ts';
import { newStream, recordingOf, upload } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
let hls: Hls;
beforeAll(async () => {
  [harness, hls] = await Promise.all([startHarness(), makeHls({ seconds: 6, segmentSeconds: 2, fps: '25' })]);
});
afterAll(() => harness.stop());

const written = (recordingId: string, modifiedAt: Date) => ({
  recordingId,
  sourceKey: 'key/segment_000.ts',
  sourceEtag: 'e',
  modifiedAt,
  nameNumber: 0,
  stagedKey: 'staged',
  size: 1,
  reason: null,
  firstDts90k: 0,
  endDts90k: 1,
  durationMs: 1,
  probe: null,
});

type Candidates = Parameters<SegmentRepository['add']>[2];

async function addTo(recordingId: string, modifiedAt: Date, candidates: Candidates): Promise<string> {
  const { segments } = harness.context;
  const added = await segments.add(written(recordingId, modifiedAt), 'captured', candidates, new Date());
  return typeof added === 'string' ? added : added.state;
}

describe('one write of an object', () => {
  it('is in one ledger, and the same bytes written again are another segment', async () => {
    const ids: string[] = [];
    for (const stream of [newStream(), newStream()]) {
      await harness.tell('stream.started', stream);
      ids.push((await recordingOf(harness, stream.streamId)).id);
    }
    const [first = '', second = ''] = ids;
    const at = new Date('2025-10-05T18:00:00.250Z');
    const candidates = ids.map((id) => ({ id, endHeardAt: null }));
    const add = (id: string, modifiedAt: Date) => addTo(id, modifiedAt, candidates);
    const both = await Promise.all([add(first, at), add(second, new Date('2025-10-05T18:00:00Z'))]);
    expect(both.toSorted()).toEqual(['captured', 'known']);
    expect(await add(both[0] === 'known' ? first : second, new Date('2025-10-05T18:05:00Z'))).toBe('captured');
  });

  it('is nobody’s yet where a broadcast of its key has begun or ended since it was judged whose it is', async () => {
    const [stream, other] = [newStream(), newStream()];
    await harness.tell('stream.started', stream);
    const { id, endHeardAt } = await recordingOf(harness, stream.streamId);
    const before = [{ id, endHeardAt }];
    await harness.tell('stream.started', { ...other, streamKey: stream.streamKey });
    const next = await recordingOf(harness, other.streamId);
    expect(await addTo(id, new Date(), before)).toBe('stale');
    const both = [...before, { id: next.id, endHeardAt: null }];
    await harness.tell('stream.ended', stream);
    expect(await addTo(id, new Date(), both)).toBe('stale');
    const ended = await recordingOf(harness, stream.streamId);
    expect(await addTo(id, new Date(), [ended, next])).toBe('captured');
  });

  it.each([
    ['a sweep', (context: RecordingContext, id: string) => sweepRecording(context, id)],
    ['a notification', (context: RecordingContext, _id: string, key: string) => captureNotified(context, [key])],
  ])('is looked at again where the next broadcast begins while %s has it in its hands', async (_who, capture) => {
    const [stream, other] = [newStream(), newStream()];
    await harness.tell('stream.started', stream);
    const { id } = await recordingOf(harness, stream.streamId);
    const key = `${stream.streamKey}/segment_000.ts`;
    await harness.store.put('live-segments', key, Buffer.from('no segment'), 'video/mp2t');
    let gets = 0;
    const store = alteredStore(harness.store, {
      get: async (...asked) => {
        const answer = await harness.store.get(...asked);
        gets += 1;
        if (gets === 1) await harness.tell('stream.started', { ...other, streamKey: stream.streamKey });
        return answer;
      },
    });
    harness.queues.messages = [];
    await capture(harness.variant({}, { store }), id, key);
    const next = await recordingOf(harness, other.streamId);
    // What the start of the next one asks for is not what this is about.
    harness.queues.messages = harness.queues.messages.slice(1);
    await harness.drain();
    const { segments } = harness.context;
    expect([...(await segments.list(id)), ...(await segments.list(next.id))]).toHaveLength(1);
  });

  it('that is told of again is no sign that its stream goes on', async () => {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments);
    const { lastSegmentAt } = await recordingOf(harness, stream.streamId);
    await captureNotified(
      harness.context,
      hls.segments.map((path) => `${stream.streamKey}/${basename(path)}`),
    );
    expect((await recordingOf(harness, stream.streamId)).lastSegmentAt).toEqual(lastSegmentAt);
  });
});
