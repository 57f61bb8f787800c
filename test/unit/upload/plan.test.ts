/** What of a stream's files is uploaded when: complete ones only, and each before the playlist that names it. */
import { type DiskFile, type DiskGroup, type DiskPlaylist, planUploads } from '../../../lib/upload/plan.ts';

const RULES = { idleMs: 10_000, unlistedIdleMs: 60_000, sinceMs: 0 };

const file = (name: string, mtimeMs: number, unchangedMs = 0): DiskFile => ({ name, size: 1000, mtimeMs, unchangedMs });
const playlist = (mtimeMs: number, names: readonly string[] | null, name = 'index.m3u8'): DiskPlaylist => ({
  ...file(name, mtimeMs),
  bytes: new Uint8Array(),
  names,
});

/** @param known names and times of what is in the bucket */
function plan(group: DiskGroup, known: Record<string, number> = {}, rules = RULES) {
  const { steps, lost, leftOver } = planUploads(
    group,
    { is: ({ name, mtimeMs }) => known[name] === mtimeMs, has: (name) => known[name] !== undefined },
    rules,
  );
  return { steps: steps.map((step) => step.file.name), lost, leftOver };
}

describe('a stream with a playlist', () => {
  it('uploads what the playlist names, in the order of writing, then the playlist, and not what is being written', () => {
    const group = {
      segments: [file('10.ts', 30), file('9.ts', 20), file('11.ts', 31)],
      playlists: [playlist(30, ['9.ts', '10.ts'])],
    };
    expect(plan(group).steps).toEqual(['9.ts', '10.ts', 'index.m3u8']);
  });

  it('uploads only what is new', () => {
    const group = { segments: [file('0.ts', 10), file('1.ts', 20)], playlists: [playlist(20, ['0.ts', '1.ts'])] };
    expect(plan(group, { '0.ts': 10 }).steps).toEqual(['1.ts', 'index.m3u8']);
    expect(plan(group, { '0.ts': 10, '1.ts': 20, 'index.m3u8': 20 }).steps).toEqual([]);
  });

  it('takes a listed name that is younger than the playlist for one that is being written again, and holds the playlist', () => {
    const group = { segments: [file('0.ts', 50), file('1.ts', 20)], playlists: [playlist(30, ['0.ts', '1.ts'])] };
    expect(plan(group, { '0.ts': 10, '1.ts': 20 }).steps).toEqual([]);
    const written = { ...group, playlists: [playlist(51, ['0.ts'])] };
    expect(plan(written, { '0.ts': 10, '1.ts': 20, 'index.m3u8': 30 }).steps).toEqual(['0.ts', 'index.m3u8']);
  });

  it('believes the playlist for long: a publisher that stalls is not gone', () => {
    const at = (unchangedMs: number) => ({
      segments: [file('0.ts', 10), file('1.ts', 20, unchangedMs)],
      playlists: [playlist(10, ['0.ts'])],
    });
    expect(plan(at(59_000), { '0.ts': 10, 'index.m3u8': 10 }).steps).toEqual([]);
    expect(plan(at(60_000), { '0.ts': 10, 'index.m3u8': 10 }).steps).toEqual(['1.ts']);
  });

  it('goes on where a window deleted what was never uploaded, and says what is lost', () => {
    const group = { segments: [file('5.ts', 50)], playlists: [playlist(50, ['3.ts', '4.ts', '5.ts'])] };
    expect(plan(group, { '3.ts': 30 })).toEqual({ steps: ['5.ts', 'index.m3u8'], lost: ['4.ts'], leftOver: 0 });
  });

  it('waits for a playlist that cannot be read, and takes another one beside it', () => {
    const group = {
      segments: [file('0.ts', 10)],
      playlists: [playlist(10, null), playlist(10, ['0.ts'], 'live.m3u8')],
    };
    expect(plan(group).steps).toEqual(['0.ts', 'live.m3u8']);
  });
});

describe('a stream without a playlist', () => {
  it('uploads a segment when another one follows and it is at rest, the last one when it has not grown for a while', () => {
    const at = (unchangedMs: number) => ({
      segments: [file('a.ts', 10, 1000), file('b.ts', 20, unchangedMs)],
      playlists: [],
    });
    expect(plan(at(0)).steps).toEqual(['a.ts']);
    expect(plan({ segments: [file('a.ts', 10, 900), file('b.ts', 20)], playlists: [] }).steps).toEqual([]);
    expect(plan(at(9_999), { 'a.ts': 10 }).steps).toEqual([]);
    expect(plan(at(10_000), { 'a.ts': 10 }).steps).toEqual(['b.ts']);
  });
});

describe('what was there before the first start', () => {
  it('is left alone, with the playlist of that time, and does not hold up what comes now', () => {
    const rules = { ...RULES, sinceMs: 100 };
    const old = { segments: [file('0.ts', 10)], playlists: [playlist(10, ['0.ts'])] };
    expect(plan(old, {}, rules)).toEqual({ steps: [], lost: [], leftOver: 1 });
    const live = { segments: [file('0.ts', 10), file('1.ts', 110)], playlists: [playlist(110, ['0.ts', '1.ts'])] };
    expect(plan(live, {}, rules)).toEqual({ steps: ['1.ts', 'index.m3u8'], lost: [], leftOver: 1 });
  });
});
