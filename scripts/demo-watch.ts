/** What the demo looks at while a stream is recorded: the API's answer, and how many segments are safe in staging. */
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { stagingPrefix } from '../lib/storage/keys.ts';
import { call } from '../test/support/http.ts';
import { packagerS3Client, type S3Address } from '../test/support/packager.ts';

const recordingAnswer = z.object({
  id: z.uuid(),
  stream_id: z.uuid(),
  file_path: z.string(),
  duration: z.number(),
  file_size: z.number(),
  status: z.enum(['recording', 'processing', 'completed', 'failed']),
});
const listAnswer = z.object({ recordings: z.array(recordingAnswer) });

export type RecordingAnswer = z.output<typeof recordingAnswer>;

export async function findRecording(serviceUrl: string, streamId: string): Promise<RecordingAnswer | undefined> {
  const { json } = await call(`${serviceUrl}/recordings`);
  return listAnswer.parse(json).recordings.find((recording) => recording.stream_id === streamId);
}

/** The finished file: by its URL as a player reads it, or with credentials where the bucket is private. */
export async function download(
  address: S3Address,
  url: string,
  filePath: string,
): Promise<{ bytes: Uint8Array; isPublic: boolean }> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(120_000) });
  if (answer.ok) return { bytes: new Uint8Array(await answer.arrayBuffer()), isPublic: true };
  const [bucket, ...key] = filePath.split('/');
  const get = new GetObjectCommand({ Bucket: bucket, Key: key.join('/') });
  const object = await packagerS3Client(address).send(get);
  return { bytes: (await object.Body?.transformToByteArray()) ?? new Uint8Array(), isPublic: false };
}

const logLine = z.object({
  level: z.literal('error'),
  message: z.string(),
  err: z.object({ message: z.string() }).optional(),
});

/** The last things that the service complained of, one line each. */
export function lastComplaints(log: readonly string[], count = 3): string[] {
  const complaints = log.flatMap((line) => {
    try {
      const { message, err } = logLine.parse(JSON.parse(line));
      return [`${message}${err ? ` (${err.message})` : ''}`];
    } catch {
      // Not a line of the service's own log, or nothing to complain of.
      return [];
    }
  });
  return complaints.slice(-count);
}

/** The API has no field for it: captured segments are the objects in the recording's staging folder. */
export async function countStaged(address: S3Address, recordingId: string, bucket = 'recordings'): Promise<number> {
  const client = packagerS3Client(address);
  let count = 0;
  let token: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: `${stagingPrefix(recordingId)}segments/`,
        ContinuationToken: token,
      }),
    );
    count += page.KeyCount ?? 0;
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return count;
}
