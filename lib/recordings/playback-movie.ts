/**
 * Opens the MP4 of a recording for lookups: finds its `moov` with a read or two, and remembers the last few. Reads nothing of
 * the media.
 */
import { ByteReader } from '../mp4/byte-reader.ts';
import { type FragmentPlan, planFragments } from '../mp4/clip-plan.ts';
import { readMovie, type SourceMovie } from '../mp4/clip-source.ts';
import { Corrupt } from '../mp4/errors.ts';
import type { RecordingContext } from './context.ts';
import { type ByteSource, openObject } from './playback-bytes.ts';
import { NothingToPlay } from './playback-errors.ts';
import { remembered } from './playback-memory.ts';
import type { Recording } from './recording.ts';

export interface OpenMovie {
  readonly source: ByteSource;
  readonly movie: SourceMovie;
  readonly plan: FragmentPlan;
}

/** The moov of a short recording comes with the first read. */
const FIRST_READ = 256 * 1024;
const MOST_BOXES = 64;

/** As players like them: short enough to begin soon, long enough to be few. */
const TARGET_SECONDS = 6;
/** What a function may answer is 6 MB, a third of it lost to base64. */
export const MOST_BODY_BYTES = 4 * 1024 * 1024;

/**
 * The file of a completed recording.
 * @throws {NothingToPlay} where there is none
 */
export async function openRecordingFile(context: RecordingContext, recording: Recording): Promise<OpenMovie> {
  const source = recording.objectKey === '' ? null : await openObject(context, recording.objectKey);
  if (!source) throw new NothingToPlay(`There is no file of recording ${recording.id}`);
  return remembered(context.db, 'movie', recording.id, source.etag, () => openMovie(source));
}

/** @throws {Corrupt} {Truncated} {Unsupported} where the file is no MP4 that can be cut */
export async function openMovie(source: ByteSource): Promise<OpenMovie> {
  const movie = readMovie(await readMoov(source));
  // Boxes around the samples take part of what may be answered.
  const plan = planFragments(movie, { targetSeconds: TARGET_SECONDS, mostBytes: MOST_BODY_BYTES - 256 * 1024 });
  return { source, movie, plan };
}

/** The `moov` box: in front in our files, but found wherever it is. */
async function readMoov(source: ByteSource): Promise<Uint8Array> {
  const start = await source.read(0, Math.min(FIRST_READ, source.size));
  let at = 0;
  for (let boxes = 0; boxes < MOST_BOXES && at + 8 <= source.size; boxes++) {
    const header =
      at + 16 <= start.length ? start.subarray(at, at + 16) : await source.read(at, Math.min(at + 16, source.size));
    const reader = new ByteReader(header);
    const short = reader.u32();
    const type = reader.fourcc();
    const size = short === 1 ? reader.u64() : short === 0 ? source.size - at : short;
    if (size < 8 || at + size > source.size) throw new Corrupt(`box of ${size} bytes at ${at} of ${source.size}`);
    if (type === 'moov') return at + size <= start.length ? start.subarray(at, at + size) : source.read(at, at + size);
    at += size;
  }
  throw new Corrupt('no moov');
}
