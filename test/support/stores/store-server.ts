/**
 * A running S3 server as the tests of stores see it: where it is, what may be asked of it beyond S3, and in what it
 * differs from others. The differences are those of docs/STORES.md, and each is asserted.
 */
import { CreateBucketCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { type Config, readConfig } from '../../../lib/platform/config.ts';
import { createS3Client } from '../../../lib/storage/s3-object-store.ts';

export interface StoreTraits {
  /** What a second Complete of an upload is answered: that it is gone, or the object that the first one made. */
  readonly secondComplete: 'gone' | 'same-object';
  /** Whether uploads that were opened before a restart are in a listing of the bucket. */
  readonly uploadsAfterRestart: 'listed' | 'forgotten';
  /** Which uploads a listing by prefix has: those of keys that begin with it, or only those of the key that equals it. */
  readonly uploadsByPrefix: 'all' | 'equal';
  /** What an upload's time in a listing is: that of its creation, or of its last part. */
  readonly uploadTime: 'creation' | 'last-part';
  /** What becomes of a Complete that leaves out the checksums that its parts were sent with. */
  readonly forgottenChecksums: 'taken' | 'refused';
  /** The status of a request that is signed with an access key that nobody has. */
  readonly unknownKeyStatus: 403 | 404;
  /** Whether `a` and `a/b` can both be objects. */
  readonly fileAndFolder: boolean;
  /** Whether a name between two slashes may be longer than 255 bytes. */
  readonly longNames: boolean;
}

export interface StoreServer {
  readonly name: string;
  /** `http://127.0.0.1:9000` */
  readonly endpoint: string;
  /** The service's variables that lead to it. */
  readonly env: Readonly<Record<string, string>>;
  readonly traits: StoreTraits;
  /** Lets anybody read finished recordings, and nothing else, as an operator does. */
  allowReading(): Promise<void>;
  /** Ends it, by force if asked, and starts it on the same data and port. */
  restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  stop(): Promise<void>;
}

export const BUCKETS = ['live-segments', 'recordings'] as const;
export const ACCESS_KEY = 'minioadmin';
export const SECRET_KEY = 'minioadmin123';

export const environmentOf = (port: number): Record<string, string> => ({
  MINIO_ENDPOINT: `127.0.0.1:${port}`,
  MINIO_ACCESS_KEY: ACCESS_KEY,
  MINIO_SECRET_KEY: SECRET_KEY,
  PUBLIC_URL_BASE: `http://127.0.0.1:${port}`,
});

export async function createBuckets(env: Readonly<Record<string, string>>): Promise<void> {
  for (const name of BUCKETS) await createBucket(readConfig(env), name);
}

export async function createBucket(config: Config, name: string): Promise<void> {
  const client = createS3Client(config);
  await client.send(new CreateBucketCommand({ Bucket: name }));
  client.destroy();
}

/** The policy of docs/STORES.md: finished files are public, staging and listings are not. */
export async function allowReadingRecordings(env: Readonly<Record<string, string>>): Promise<void> {
  const client = createS3Client(readConfig(env));
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: '*', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::recordings/*.mp4'] },
    ],
  });
  await client.send(new PutBucketPolicyCommand({ Bucket: 'recordings', Policy }));
  client.destroy();
}
