/** Which uploads are signed with a hash of their bytes: those that somebody on the way could change. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { S3ObjectStore } from '../../../lib/storage/object-store.ts';

const bytes = new TextEncoder().encode('media');
const hashed = createHash('sha256').update(bytes).digest('hex');

/** The header of a PUT that went to this endpoint; nothing is sent. */
async function signedPayload(endpoint: string): Promise<string | undefined> {
  const seen: Array<Record<string, string>> = [];
  const requestHandler = {
    handle: async (request: { headers: Record<string, string> }) => {
      seen.push(request.headers);
      return { response: { statusCode: 200, headers: { etag: '"x"' }, body: Readable.from([]) } };
    },
  };
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    requestHandler: requestHandler as unknown as NonNullable<S3ClientConfig['requestHandler']>,
  });
  await new S3ObjectStore(client).put('recordings', 'a', bytes, 'video/mp2t');
  return seen[0]?.['x-amz-content-sha256'];
}

describe('the signature of an upload', () => {
  it.each([
    'http://minio:9000',
    'http://10.0.0.7:9000',
    'http://127.0.0.1.example.org',
    'http://localhost.example.org',
  ])('covers its bytes where they go over a network in the clear: %s', async (endpoint) =>
    expect(await signedPayload(endpoint)).toBe(hashed),
  );

  it.each([
    'https://minio:9000',
    'http://localhost:9000',
    'http://127.0.0.1:9000',
    'http://127.8.9.10',
    'http://[::1]:9000',
  ])('leaves them to TLS, or to this machine: %s', async (endpoint) =>
    expect(await signedPayload(endpoint)).toBe('UNSIGNED-PAYLOAD'),
  );
});
