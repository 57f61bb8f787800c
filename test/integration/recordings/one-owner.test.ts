/** An object that two functions capture at once and judge differently is one recording's all the same. */
import { newStream, recordingOf } from '../../support/recorded.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
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

describe('one write of an object', () => {
  it('is in one ledger, and the same bytes written again are another segment', async () => {
    const ids: string[] = [];
    for (const stream of [newStream(), newStream()]) {
      await harness.tell('stream.started', stream);
      ids.push((await recordingOf(harness, stream.streamId)).id);
    }
    const [first = '', second = ''] = ids;
    const at = new Date('2025-10-05T18:00:00.250Z');
    const add = async (id: string, modifiedAt: Date) =>
      (await harness.context.segments.add(written(id, modifiedAt), 'captured', new Date()))?.state ?? null;
    const both = await Promise.all([add(first, at), add(second, new Date('2025-10-05T18:00:00Z'))]);
    expect(both.toSorted()).toEqual(['captured', null]);
    expect(await add(both[0] === null ? first : second, new Date('2025-10-05T18:05:00Z'))).toBe('captured');
  });
});
