/**
 * MinIO deletes an upload some time after its creation (24 h, MINIO_API_STALE_UPLOADS_EXPIRY), used or not: the upload of
 * a longer stream is lost while it is live.
 */
import { expectExact, makeLongStream, newStream, recordingOf, SMALL_PARTS, upload } from '../../support/recorded.ts';
import { startHarness } from '../../support/service-harness.ts';
import { startMinio } from '../../support/stores/minio.ts';
import { waitFor } from '../../support/wait.ts';

it('a recording whose upload MinIO has deleted while it was live is exact: it is made anew from staging', async () => {
  const expiry = { MINIO_API_STALE_UPLOADS_EXPIRY: '6s', MINIO_API_STALE_UPLOADS_CLEANUP_INTERVAL: '1s' };
  const [server, hls] = await Promise.all([startMinio({ env: expiry }), makeLongStream()]);
  const harness = await startHarness({ ...server.env, ...SMALL_PARTS });
  try {
    const stream = newStream();
    await harness.tell('stream.started', stream);
    await upload(harness, stream.streamKey, hls.segments.slice(0, 8));
    await harness.drain();
    const { uploadId, objectKey } = await recordingOf(harness, stream.streamId);
    expect(uploadId).not.toBeNull();
    const probe = () => harness.store.uploadPart('recordings', objectKey, uploadId ?? '', 9999, Buffer.from('x'));
    await waitFor(
      'MinIO deletes the upload',
      () =>
        probe().then(
          () => false,
          (error) => error.code === 'UPLOAD_MISSING',
        ),
      {
        withinMs: 30_000,
        everyMs: 500,
      },
    );
    await upload(harness, stream.streamKey, hls.segments.slice(8));
    await harness.tell('stream.ended', stream);
    await harness.drain();
    const row = await recordingOf(harness, stream.streamId);
    expect(row).toMatchObject({ status: 'completed', durationSeconds: 24 });
    expect(row.generation).toBeGreaterThan(1);
    await expectExact(harness, row.filePath, hls.segments);
  } finally {
    await harness.stop();
    await server.stop();
  }
});
