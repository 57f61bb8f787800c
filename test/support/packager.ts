/**
 * A live packager: writes a stream's segments and playlist into the bucket `live-segments` as the one
 * behind the Stream Service does, segment before playlist, in real time or faster. `planPackaging` says what.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { damagedBytes, type PackagerOptions, type PackagerStep, planPackaging } from './packager-plan.ts';
import type { PlaylistEntry } from './packager-playlist.ts';

export interface SourceSegment extends Omit<PlaylistEntry, 'name'> {
  /** File with the segment's bytes. */
  readonly path: string;
  /** The same bytes, where they are in memory already. */
  readonly bytes?: Uint8Array;
}

/** Where the packager writes: the folder of one stream key. */
export interface PackagerStore {
  put(name: string, body: Uint8Array | string, contentType: string): Promise<void>;
  remove(name: string): Promise<void>;
}

export interface S3Address {
  /** With its scheme, e.g. http://127.0.0.1:9000. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface PackagerRun {
  /** The encoder has stopped: the moment at which the Stream Service says stream.ended. */
  readonly ended: Promise<void>;
  /** All is uploaded, the late last segment too. */
  readonly done: Promise<void>;
  /** Stops as a killed packager does: nothing more is uploaded, and both promises resolve. */
  stop(): void;
}

export interface StartPackagerOptions extends PackagerOptions {
  readonly store: PackagerStore;
  readonly segments: readonly SourceSegment[];
  /** 1 is real time, 10 ten times faster; Infinity (the default) uploads without pause. */
  readonly speed?: number;
  readonly onStep?: (step: PackagerStep) => void;
}

export const SEGMENT_TYPE = 'video/mp2t';
export const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';

export function startPackager(options: StartPackagerOptions): PackagerRun {
  const steps = planPackaging(options.segments, options);
  const stopping = new AbortController();
  const ended = Promise.withResolvers<void>();
  const done = carryOut(steps, options, stopping.signal, ended.resolve).then(ended.resolve, (error: unknown) => {
    ended.resolve();
    if (!stopping.signal.aborted) throw error;
  });
  // A caller that awaits `ended` first still gets a failure from `done`: it must not be an unhandled one until then.
  done.catch(() => undefined);
  return { ended: ended.promise, done, stop: () => stopping.abort() };
}

async function carryOut(
  steps: readonly PackagerStep[],
  options: StartPackagerOptions,
  signal: AbortSignal,
  onEnded: () => void,
): Promise<void> {
  const speed = options.speed ?? Number.POSITIVE_INFINITY;
  const startedAt = performance.now();
  let endedAt = startedAt;
  for (const step of steps) {
    const dueAt = step.afterEnd ? endedAt + step.atMs : startedAt + step.atMs / speed;
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    signal.throwIfAborted();
    await carryOutStep(step, options);
    if (step.kind === 'ended') {
      endedAt = performance.now();
      onEnded();
    }
    options.onStep?.(step);
  }
}

async function carryOutStep(step: PackagerStep, { store, segments }: StartPackagerOptions): Promise<void> {
  switch (step.kind) {
    case 'segment': {
      const source = segments[step.index];
      if (source === undefined) throw new Error(`The plan names segment ${step.index}, which there is not`);
      return store.put(
        step.name,
        damagedBytes(source.bytes ?? (await readFile(source.path)), step.damage),
        SEGMENT_TYPE,
      );
    }
    case 'playlist':
      return store.put(step.name, step.body, PLAYLIST_TYPE);
    case 'delete':
      return store.remove(step.name);
    case 'ended':
      return;
  }
}

/** The folder `{streamKey}/` of `live-segments` on an S3 server, path style. */
export function s3PackagerStore(client: S3Client, streamKey: string, bucket = 'live-segments'): PackagerStore {
  return {
    put: async (name, body, contentType) => {
      const object = { Bucket: bucket, Key: `${streamKey}/${name}`, Body: body, ContentType: contentType };
      await client.send(new PutObjectCommand(object));
    },
    remove: async (name) => {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${streamKey}/${name}` }));
    },
  };
}

export function packagerS3Client(address: S3Address): S3Client {
  return new S3Client({
    endpoint: address.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: address.accessKeyId, secretAccessKey: address.secretAccessKey },
    // Not every S3-compatible server knows the checksums that the SDK sends by default.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}
