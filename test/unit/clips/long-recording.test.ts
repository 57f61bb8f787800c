/** A recording of twelve hours: what a clip of it costs, in time and in bytes that are read. */
import { cutMovie } from '../../../lib/mp4/clip-cut.ts';
import { buildHead } from '../../../lib/mp4/head.ts';
import { encodeIndex, type Piece } from '../../../lib/mp4/sample-index.ts';
import { type ByteSource, readExtents } from '../../../lib/recordings/playback-bytes.ts';
import { openMovie } from '../../../lib/recordings/playback-movie.ts';

const HOURS = 12;
const FPS = 30;
const GOP = 60;
const VIDEO_BYTES = 20_000;
const AUDIO_BYTES = 350;
/** One second of each, interleaved. */
const AUDIO_A_SECOND = 47;

/** A sample entry that nobody decodes: the right size, no boxes inside. */
function entry(fourcc: string, bytes: number): Uint8Array {
  const out = Buffer.alloc(bytes);
  out.writeUInt32BE(bytes, 0);
  out.write(fourcc, 4, 'latin1');
  return out;
}

function piece(kind: 'video' | 'audio', seconds: number, secondBytes: number, before: number): Piece {
  const perSecond = kind === 'video' ? FPS : AUDIO_A_SECOND;
  const count = seconds * perSecond;
  const isVideo = kind === 'video';
  return {
    kind,
    ordinal: 0,
    position: isVideo ? 0 : 1,
    timescale: isVideo ? 90_000 : 47_000,
    language: 'und',
    width: isVideo ? 1920 : 0,
    height: isVideo ? 1080 : 0,
    entry: isVideo ? entry('avc1', 86) : entry('mp4a', 36),
    run: 0,
    dts: 0,
    durations: new Uint32Array(count).fill(isVideo ? 3000 : 1000),
    // B-frames: no two neighbours alike, the table is as large as it gets.
    offsets: Int32Array.from({ length: count }, (_, at) => (isVideo ? 3000 * (at % 3) : 0)),
    sizes: new Uint32Array(count).fill(isVideo ? VIDEO_BYTES : AUDIO_BYTES),
    sync: Uint8Array.from({ length: count }, (_, at) => (isVideo && at % GOP !== 0 ? 0 : 1)),
    chunkOffsets: Float64Array.from({ length: seconds }, (_, second) => second * secondBytes + before),
    chunkSamples: new Uint32Array(seconds).fill(perSecond),
  };
}

/** The file's head is real, its media is zeros. */
function longFile(): { source: ByteSource; counted: { reads: number; bytes: number } } {
  const seconds = HOURS * 3600;
  const secondBytes = FPS * VIDEO_BYTES + AUDIO_A_SECOND * AUDIO_BYTES;
  const pieces = [piece('video', seconds, secondBytes, 0), piece('audio', seconds, secondBytes, FPS * VIDEO_BYTES)];
  const head = buildHead({ parts: [{ index: encodeIndex(pieces), bytes: seconds * secondBytes }] });
  const counted = { reads: 0, bytes: 0 };
  return {
    counted,
    source: {
      size: head.bytes.length + head.mediaBytes,
      etag: 'long',
      isUnchanged: async () => true,
      read: async (first, end) => {
        counted.reads += 1;
        counted.bytes += end - first;
        const out = new Uint8Array(end - first);
        if (first < head.bytes.length) out.set(head.bytes.subarray(first, Math.min(end, head.bytes.length)));
        return out;
      },
    },
  };
}

describe('a recording of twelve hours', () => {
  const { source, counted } = longFile();

  it('gives a clip of 30 s in far less than two seconds, reading its tables and the clip', async () => {
    const started = performance.now();
    const { movie } = await openMovie(source);
    const opened = performance.now();
    const tableBytes = counted.bytes;
    const cut = cutMovie(movie, { startSeconds: 8 * 3600 + 1.5, endSeconds: 8 * 3600 + 31.5, nearBytes: 65_536 });
    if (!cut) throw new Error('nothing was cut');
    const head = buildHead({ parts: [{ index: encodeIndex(cut.pieces), bytes: cut.mediaBytes }] });
    await readExtents(source, cut.extents);
    const total = performance.now() - started;
    console.log(
      `12 h, ${(source.size / 1e9).toFixed(0)} GB: tables of ${(tableBytes / 1e6).toFixed(1)} MB opened in ` +
        `${(opened - started).toFixed(0)} ms, clip of ${(cut.mediaBytes / 1e6).toFixed(1)} MB cut in ${(total - (opened - started)).toFixed(0)} ms`,
    );
    expect(cut.fromSeconds).toBe(8 * 3600);
    expect(head.tracks.find((track) => track.kind === 'video')?.samples).toBeGreaterThanOrEqual(FPS * 31.4);
    expect(cut.extents.length).toBeLessThanOrEqual(2);
    expect(counted.bytes - tableBytes).toBeLessThan(33 * (FPS * VIDEO_BYTES + AUDIO_A_SECOND * AUDIO_BYTES));
    expect(total).toBeLessThan(2000);
  });

  it('is planned as fragments that begin with key frames and lose no sample', async () => {
    const { plan, movie } = await openMovie(source);
    // Six seconds of it weigh 3.7 MB: just what may be answered.
    expect(plan.fragments).toHaveLength((HOURS * 3600) / 6);
    const next = new Map(movie.tracks.map((track) => [track, 0]));
    for (const { ranges } of plan.fragments) {
      for (const { track, first, end } of ranges) {
        expect(first).toBe(next.get(track));
        next.set(track, end);
        if (track.kind === 'video') expect(first % GOP).toBe(0);
      }
    }
    for (const [track, end] of next) expect(end).toBe(track.samples.count);
  });
});
