/** Recordings for tests of what is watched: made from real segments by the service itself, live or finished. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Recording } from '../../../lib/recordings/recording.ts';
import type { Hls } from '../../support/media/index.ts';
import type { Harness } from '../../support/service-harness.ts';

export interface LiveRecording {
  readonly id: string;
  readonly streamId: string;
  readonly streamKey: string;
  /** Uploads segments by their place in the stream, and captures them. */
  upload(...places: number[]): Promise<void>;
  /** Ends the stream and carries out whatever follows from it. */
  end(): Promise<void>;
  row(): Promise<Recording>;
}

/** Starts a recording of the stream; nothing is uploaded yet. */
export async function startRecording(harness: Harness, hls: Hls): Promise<LiveRecording> {
  const stream = { streamId: randomUUID(), streamKey: `key-${randomUUID().slice(0, 8)}` };
  await harness.tell('stream.started', stream);
  const find = async () => {
    const [row] = await harness.context.recordings.list({ limit: 1, streamId: stream.streamId });
    if (!row) throw new Error('there is no recording');
    return row;
  };
  const { id } = await find();
  return {
    id,
    ...stream,
    upload: async (...places) => {
      for (const place of places) {
        const path = hls.segments[place];
        if (!path) throw new Error(`the stream has no segment ${place}`);
        const key = `${stream.streamKey}/${basename(path)}`;
        await harness.store.put('live-segments', key, await readFile(path), 'video/mp2t');
      }
      await harness.queues.requestSweep(id);
      await harness.drain();
    },
    end: async () => {
      await harness.tell('stream.ended', stream);
      await harness.drain();
    },
    row: find,
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

/** The bytes of an object of the bucket `recordings`. */
export async function objectBytes(harness: Harness, key: string): Promise<Buffer> {
  return Buffer.from((await harness.store.get('recordings', key, 30_000)).bytes);
}
