import { finalKeyCandidates } from '../../../lib/storage/keys.ts';

const recording = {
  id: '6f1c1b1e-0000-4000-8000-000000000001',
  streamId: '6f1c1b1e-0000-4000-8000-000000000002',
  streamKey: 'abc_$1',
  startedAt: new Date('2025-10-05T18:00:00.900Z'),
};

describe('the final keys of a recording', () => {
  it('are the specified ones by default, then counted', () => {
    expect(finalKeyCandidates(recording, '{stream_key}.mp4').slice(0, 4)).toEqual([
      'abc_$1.mp4',
      'abc_$1-20251005T180000Z.mp4',
      'abc_$1-20251005T180000Z-2.mp4',
      'abc_$1-20251005T180000Z-3.mp4',
    ]);
  });

  it('of a template without {stream_key} do not reveal it', () => {
    const keys = finalKeyCandidates(recording, '{stream_id}-{started_at}.mp4');
    expect(keys.slice(0, 2)).toEqual([
      `${recording.streamId}-20251005T180000Z.mp4`,
      `${recording.streamId}-20251005T180000Z-2.mp4`,
    ]);
    expect(keys.join()).not.toContain('abc');
  });

  it('are all different', () => {
    for (const template of ['{stream_key}.mp4', '{recording_id}.mp4', '{stream_key}-{started_at}.mp4']) {
      const keys = finalKeyCandidates(recording, template);
      expect(new Set(keys).size).toBe(keys.length);
      expect(keys.length).toBeGreaterThanOrEqual(9);
    }
  });
});
