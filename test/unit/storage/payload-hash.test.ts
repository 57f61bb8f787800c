/** Which uploads are signed with a hash of their bytes: those that somebody on the way could change. */
import { createHash } from 'node:crypto';
import { S3Client } from '@aws-sdk/client-s3';
import { Dispatcher } from 'undici';
import { S3ObjectStore } from '../../../lib/storage/s3-object-store.ts';

const bytes = new TextEncoder().encode('media');
const hashed = createHash('sha256').update(bytes).digest('hex');

/** Answers everything, sends nothing. */
class Recorder extends Dispatcher {
  readonly seen: Array<Record<string, string>> = [];

  override dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.seen.push(request.headers as Record<string, string>);
    handler.onResponseStart?.(this as never, 200, { etag: '"x"' });
    handler.onResponseEnd?.(this as never, {});
    return true;
  }
}

/** The header of a PUT that went to this endpoint. */
async function signedPayload(endpoint: string): Promise<string | undefined> {
  const recorder = new Recorder();
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await new S3ObjectStore(client, recorder).put('recordings', 'a', bytes, 'video/mp2t');
  return recorder.seen[0]?.['x-amz-content-sha256'];
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
