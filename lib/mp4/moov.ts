/**
 * Writes the `moov` of a recording from the tables of its tracks. Owns the timeline of the presentation: edit lists and
 * durations, as ffmpeg writes them for the same packets. Layouts of boxes are boxes.ts.
 */
import * as boxes from './boxes.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { TrackTables } from './track-tables.ts';

/**
 * Units a second of edit lists and of the movie. ffmpeg's value: with another one, an edit list would round to other
 * times than those of a remux of the same bytes.
 */
export const MOVIE_TIMESCALE = 1000;

/**
 * `created` in seconds since 1904-01-01 UTC, 0 says nothing. Answers where each track's chunk positions stand in `out`:
 * they are written as 0, since the size of the head is not known yet.
 */
export function writeMoov(out: ByteWriter, tracks: readonly TrackTables[], created: number): number[] {
  const positions: number[] = [];
  boxes.box(out, 'moov', () => {
    const duration = movieDuration(tracks);
    boxes.mvhd(out, { created, timescale: MOVIE_TIMESCALE, duration, nextTrack: tracks.length + 1 });
    for (const [at, track] of tracks.entries()) positions.push(writeTrak(out, track, at + 1, created));
  });
  return positions;
}

/** The end of the last track's presentation, in units of MOVIE_TIMESCALE. */
export function movieDuration(tracks: readonly TrackTables[]): number {
  return Math.max(0, ...tracks.map((track) => presentation(track).duration));
}

function writeTrak(out: ByteWriter, tables: TrackTables, id: number, created: number): number {
  const { track } = tables;
  let position = 0;
  const { duration, edits } = presentation(tables);
  boxes.box(out, 'trak', () => {
    const { kind, width, height } = track;
    boxes.tkhd(out, { created, id, duration, kind, enabled: track.ordinal === 0, width, height });
    boxes.edts(out, edits);
    boxes.box(out, 'mdia', () => {
      boxes.mdhd(out, {
        created,
        timescale: track.timescale,
        duration: tables.mediaDuration,
        language: track.language,
      });
      boxes.hdlr(out, kind);
      boxes.box(out, 'minf', () => {
        boxes.mediaHeader(out, kind);
        boxes.dinf(out);
        boxes.box(out, 'stbl', () => {
          position = writeTables(out, tables);
        });
      });
    });
  });
  return position;
}

function writeTables(out: ByteWriter, tables: TrackTables): number {
  boxes.stsd(out, tables.entries);
  boxes.stts(out, tables.stts.table);
  if (tables.hasOffsets) boxes.ctts(out, tables.ctts.table);
  // Without this table every sample is one to seek to (8.6.2).
  if (!tables.allSync) boxes.stss(out, tables.stss);
  boxes.stsc(out, tables.chunks);
  boxes.stsz(out, tables.stsz);
  return boxes.co64(out, tables.chunks.length);
}

/**
 * When a track is shown. The media's clock begins at its first sample (8.6.1.2), so the edit list (8.6.6) moves it: an
 * empty edit where the track begins later than the recording, a media_time where decoding begins before it, which is the
 * case with B-frames. Rounding is ffmpeg's: starts down, lengths up.
 */
function presentation(tables: TrackTables): { duration: number; edits: boxes.Edit[] } {
  const { timescale } = tables.track;
  const toMovie = (units: number, round: (value: number) => number) => round((units * MOVIE_TIMESCALE) / timescale);
  const length = toMovie(tables.lastPts - tables.firstPts, Math.ceil);
  const delay = toMovie(tables.firstPts, Math.floor);
  if (delay > 0) {
    const edits = [
      { duration: delay, mediaTime: -1 },
      { duration: length, mediaTime: tables.firstOffset },
    ];
    return { duration: delay + length, edits };
  }
  const mediaTime = Math.max(0, -tables.firstDts);
  return { duration: length + delay, edits: [{ duration: length + delay, mediaTime }] };
}
