/** The packager at work on a store in memory: order, pace, and being stopped. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PackagerStore, type SourceSegment, startPackager } from '../../support/packager.ts';

class MemoryStore implements PackagerStore {
  readonly objects = new Map<string, Uint8Array | string>();
  readonly log: string[] = [];

  async put(name: string, body: Uint8Array | string): Promise<void> {
    this.objects.set(name, body);
    this.log.push(`put ${name}`);
  }

  async remove(name: string): Promise<void> {
    this.objects.delete(name);
    this.log.push(`remove ${name}`);
  }
}

describe('a live packager', () => {
  let folder: string;
  let segments: SourceSegment[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packager-'));
    segments = [0, 1, 2].map((number) => ({ path: join(folder, `${number}.ts`), durationMs: 100 }));
    for (const [index, segment] of segments.entries()) await writeFile(segment.path, `bytes of ${index}`);
  });

  afterAll(() => rm(folder, { recursive: true }));

  it('writes the bytes of each segment under its name, beside the playlist', async () => {
    const store = new MemoryStore();
    await startPackager({ store, segments }).done;
    expect([...store.objects.keys()].sort()).toEqual([
      'index.m3u8',
      'segment_000.ts',
      'segment_001.ts',
      'segment_002.ts',
    ]);
    expect(Buffer.from(store.objects.get('segment_001.ts') ?? '').toString()).toBe('bytes of 1');
    expect(store.log.slice(0, 2)).toEqual(['put segment_000.ts', 'put index.m3u8']);
  });

  it('takes the time of the stream divided by its speed', async () => {
    const startedAt = performance.now();
    const run = startPackager({ store: new MemoryStore(), segments, speed: 2, lastSegmentLateMs: 60 });
    await run.ended;
    const endedMs = performance.now() - startedAt;
    await run.done;
    const doneMs = performance.now() - startedAt;
    expect(endedMs).toBeGreaterThanOrEqual(149);
    expect(doneMs - endedMs).toBeGreaterThanOrEqual(59);
    expect(doneMs).toBeLessThan(2000);
  });

  it('uploads nothing more once it is stopped, and says that it is done', async () => {
    const store = new MemoryStore();
    const run = startPackager({ store, segments, speed: 0.001, onStep: () => run.stop() });
    run.stop();
    await Promise.all([run.ended, run.done]);
    expect(store.log).toEqual([]);
  });

  it('fails at `done`, and still resolves `ended`, when the store refuses', async () => {
    const store = new MemoryStore();
    store.put = () => Promise.reject(new Error('NoSuchBucket'));
    const run = startPackager({ store, segments });
    await run.ended;
    await expect(run.done).rejects.toThrow('NoSuchBucket');
  });
});
