/**
 * Recordings for tests, made from real segments by the service itself, live or finished, and the proof that a file is
 * exact. What runs them is service-harness.ts.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { HttpRoute } from '../../lib/platform/http.ts';
import { captureNotified } from '../../lib/recordings/capture-notified.ts';
import type { RecordingContext } from '../../lib/recordings/context.ts';
import type { Recording } from '../../lib/recordings/recording.ts';
import { type Caller, callerOf } from './lambda.ts';
import {
  assertFaststart,
  comparePackets,
  fullDecode,
  type Hls,
  makeHls,
  packets,
  referenceRemux,
  type StreamShape,
} from './media/index.ts';
import { type Harness, startHarness } from './service-harness.ts';

export interface StreamIds {
  readonly streamId: string;
  readonly streamKey: string;
}

export interface LiveRecording extends StreamIds {
  readonly id: string;
  /** Uploads segments by their place in the stream, and captures them. */
  upload(...places: number[]): Promise<void>;
  /** Ends the stream and carries out whatever follows from it. */
  end(): Promise<void>;
  row(): Promise<Recording>;
}

export const newStream = (): StreamIds => ({ streamId: randomUUID(), streamKey: `key-${randomUUID().slice(0, 8)}` });

/** Puts segments (and playlists) where the packager would; nobody is told. */
export async function put(harness: Harness, streamKey: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await harness.store.put('live-segments', `${streamKey}/${basename(path)}`, await readFile(path), 'video/mp2t');
  }
}

/** Puts segments and has each captured as its notification would. */
export async function upload(harness: Harness, streamKey: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await put(harness, streamKey, [path]);
    await captureNotified(harness.context, [`${streamKey}/${basename(path)}`]);
  }
}

/** The newest recording of a stream. */
export async function recordingOf(harness: Harness, streamId: string): Promise<Recording> {
  const [row] = await harness.context.recordings.list({ limit: 1, streamId });
  if (!row) throw new Error('there is no recording');
  return row;
}

/** The bytes of an object of the bucket `recordings`. */
export async function objectBytes(harness: Harness, key: string): Promise<Buffer> {
  return Buffer.from((await harness.store.get('recordings', key, 30_000)).bytes);
}

/** The finished file, downloaded to a path of its own. */
export async function download(harness: Harness, filePath: string): Promise<string> {
  const path = join(harness.scratch, `../${randomUUID()}.mp4`);
  await writeFile(path, await objectBytes(harness, filePath.replace(/^recordings\//, '')));
  return path;
}

/** The finished file is faststart, decodes without an error, and has the packets of its segments, bytes and all. */
export async function expectExact(harness: Harness, filePath: string, segments: readonly string[]): Promise<void> {
  const file = await download(harness, filePath);
  await assertFaststart(file);
  await fullDecode(file);
  expect(comparePackets(await packets(file, { hash: true }), await referenceOf(segments))).toEqual([]);
}

const references = new Map<string, ReturnType<typeof packets>>();

/** Most tests record the same segments. */
function referenceOf(segments: readonly string[]): ReturnType<typeof packets> {
  const name = segments.join();
  const made = references.get(name) ?? referenceRemux(segments).then((file) => packets(file, { hash: true }));
  references.set(name, made);
  return made;
}

/** 24 s at a constant 8 Mbit/s: four parts of 5 MiB. */
export const makeLongStream = (): Promise<Hls> => {
  const cbr = ['-b:v', '8M', '-minrate', '8M', '-maxrate', '8M', '-bufsize', '4M', '-x264-params', 'nal-hrd=cbr'];
  const audio = [{ codec: 'aac' as const }];
  return makeHls({ seconds: 24, segmentSeconds: 2, fps: '30000/1001', bframes: 2, audio, extra: cbr });
};

export const SMALL_PARTS = { PART_SIZE: String(5 * 1024 * 1024) };

/** Starts a recording of the stream; nothing is uploaded yet. */
export async function startRecording(harness: Harness, hls: Hls): Promise<LiveRecording> {
  const stream = newStream();
  await harness.tell('stream.started', stream);
  const row = () => recordingOf(harness, stream.streamId);
  const { id } = await row();
  return {
    id,
    ...stream,
    upload: async (...places) => {
      for (const place of places) {
        const path = hls.segments[place];
        if (!path) throw new Error(`the stream has no segment ${place}`);
        await put(harness, stream.streamKey, [path]);
      }
      await harness.queues.requestSweep(id);
      await harness.drain();
    },
    end: async () => {
      await harness.tell('stream.ended', stream);
      await harness.drain();
    },
    row,
  };
}

/** A finished recording of the stream, optionally without some of its segments. */
export async function finishedRecording(
  harness: Harness,
  hls: Hls,
  leaveOut: readonly number[] = [],
): Promise<LiveRecording> {
  const recording = await startRecording(harness, hls);
  await recording.upload(...[...hls.segments.keys()].filter((place) => !leaveOut.includes(place)));
  await recording.end();
  return recording;
}

/** What a test of HTTP routes over recordings needs. */
export interface Recorder {
  readonly harness: Harness;
  readonly hls: Hls;
  readonly call: Caller;
  /** A folder of the test's own. */
  readonly dir: string;
}

/** Back ends, the segments of a stream of that shape, and the routes to call: there before the first test of the file. */
export function useRecorder(routes: readonly HttpRoute<RecordingContext>[], shape: StreamShape): Recorder {
  let started: (Recorder & { stop(): Promise<void> }) | undefined;
  const recorder = () => {
    if (!started) throw new Error('the recorder is there once the tests run');
    return started;
  };
  beforeAll(async () => {
    started = await startRecorder(routes, shape);
  });
  afterAll(() => started?.stop());
  return {
    get harness() {
      return recorder().harness;
    },
    get hls() {
      return recorder().hls;
    },
    get dir() {
      return recorder().dir;
    },
    get call() {
      return recorder().call;
    },
  };
}

async function startRecorder(routes: readonly HttpRoute<RecordingContext>[], shape: StreamShape) {
  const [harness, hls, dir] = await Promise.all([
    startHarness(),
    makeHls(shape),
    mkdtemp(join(tmpdir(), 'recorder-test-')),
  ]);
  const stop = async () => {
    await harness.stop();
    await rm(dir, { recursive: true });
  };
  return { harness, hls, dir, call: callerOf(routes, harness.context), stop };
}
