/** A file whose ranges can be read, in the store or in scratch space: what is cut, is cut out of one of these. */
import { open } from 'node:fs/promises';
import { type Extent, ReadExtents } from '../mp4/clip-extents.ts';
import { StorageUnavailable } from '../storage/errors.ts';
import type { RecordingContext } from './context.ts';

export interface ByteSource {
  readonly size: number;
  /** Differs where the bytes do. */
  readonly etag: string;
  /** The bytes `first` up to `end`, exclusive. @throws {StorageUnavailable} {ObjectMissing} */
  read(first: number, end: number): Promise<Uint8Array>;
  /** Whether what was read so far is still there: then it is all of the same file. */
  isUnchanged(): Promise<boolean>;
}

/** Ranges of one reading that are fetched at once. */
const AT_ONCE = 6;

/** An object of the bucket of recordings; null where there is none. */
export async function openObject(context: RecordingContext, key: string): Promise<ByteSource | null> {
  const bucket = context.config.MINIO_BUCKET;
  const found = await context.store.head(bucket, key);
  if (!found) return null;
  return {
    size: found.size,
    etag: found.etag,
    isUnchanged: async () => (await context.store.head(bucket, key))?.etag === found.etag,
    read: async (first, end) => {
      if (end <= first) return new Uint8Array(0);
      const chunks: Buffer[] = [];
      for await (const chunk of await context.store.stream(bucket, key, { first, last: end - 1 }))
        chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      if (bytes.length !== end - first)
        throw new StorageUnavailable(`GetObject ${bucket}: ${bytes.length} of ${end - first} bytes came`);
      return bytes;
    },
  };
}

/** A local file, for as long as `work` runs. */
export async function withFile<Result>(path: string, work: (source: ByteSource) => Promise<Result>): Promise<Result> {
  const handle = await open(path);
  try {
    const { size, mtimeMs } = await handle.stat();
    return await work({
      size,
      etag: `${size}-${mtimeMs}`,
      isUnchanged: async () => true,
      read: async (first, end) => {
        const bytes = Buffer.alloc(end - first);
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, first);
        return bytes.subarray(0, bytesRead);
      },
    });
  } finally {
    await handle.close();
  }
}

/** Reads extents, a few at once. */
export async function readExtents(source: ByteSource, extents: readonly Extent[]): Promise<ReadExtents> {
  const bytes: Uint8Array[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < extents.length; at = next++) {
      const extent = extents[at];
      if (extent) bytes[at] = await source.read(extent.first, extent.end);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, extents.length) }, worker));
  return new ReadExtents(extents, bytes);
}
