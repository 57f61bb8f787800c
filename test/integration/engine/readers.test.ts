import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny';
import { createFile, type Movie, MP4BoxBuffer } from 'mp4box';
import { makeHls, type PacketStream, packets } from '../../support/media/index.ts';
import { type EngineResult, runEngine } from './engine.ts';

let dir: string;
let engine: EngineResult;
let bytes: Buffer;
let expected: readonly PacketStream[];

/** Two runs, the second one without B-frames, in parts of one segment. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'readers-'));
  const first = await makeHls({ seconds: 6, segmentSeconds: 1, bframes: 2, fps: '30000/1001' });
  const second = await makeHls({ seconds: 4, segmentSeconds: 1, fps: '30000/1001', startSeconds: 300 });
  engine = await runEngine(dir, [{ segments: first.segments }, { segments: second.segments }]);
  bytes = await readFile(engine.path);
  expected = await packets(engine.path);
});

afterAll(async () => {
  await rm(dir, { recursive: true });
});

describe('a finished recording', () => {
  it('is opened by mp4box, which finds every sample and no box wrong', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<Movie>();
    const file = createFile();
    file.onReady = resolve;
    file.onError = (module, message) => reject(new Error(`${module}: ${message}`));
    file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0));
    file.flush();
    const info = await promise;
    expect(info.isProgressive).toBe(true);
    expect(info.tracks.map((track) => [track.type, track.codec, track.nb_samples, track.timescale])).toEqual([
      ['video', expect.stringMatching(/^avc1\./), 300, 90_000],
      ['audio', 'mp4a.40.2', 472, 48_000],
    ]);
    for (const track of info.tracks) {
      const samples = file.getTrackSamplesInfo(track.id);
      const stream = expected[track.type === 'video' ? 0 : 1];
      expect(samples.map((sample) => sample.size)).toEqual(stream?.packets.map((packet) => packet.size));
      expect(samples.map((sample) => sample.is_sync)).toEqual(
        stream?.packets.map((packet) => packet.flags.startsWith('K')),
      );
    }
    const last = info.tracks
      .flatMap((track) => file.getTrackSamplesInfo(track.id).slice(-1))
      .map((one) => one.offset + one.size);
    expect(Math.max(...last)).toBe(bytes.length);
  });

  it('is opened by mediabunny, which reads every packet at its time', async () => {
    const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(new Uint8Array(bytes).buffer) });
    const tracks = await input.getTracks();
    expect(tracks.map((track) => [track.type, track.codec])).toEqual([
      ['video', 'avc'],
      ['audio', 'aac'],
    ]);
    for (const [at, track] of tracks.entries()) {
      const found: { time: number; size: number; isKey: boolean }[] = [];
      for await (const packet of new EncodedPacketSink(track).packets()) {
        found.push({ time: packet.timestamp, size: packet.byteLength, isKey: packet.type === 'key' });
      }
      const stream = expected[at];
      const unit = 1 / Number(stream?.timeBase.split('/')[1]);
      expect(found.map((one) => one.size)).toEqual(stream?.packets.map((packet) => packet.size));
      expect(found.map((one) => one.isKey)).toEqual(stream?.packets.map((packet) => packet.flags.startsWith('K')));
      for (const [i, one] of found.entries()) expect(one.time).toBeCloseTo((stream?.packets[i]?.pts ?? 0) * unit, 5);
    }
    expect(await input.computeDuration()).toBeCloseTo(engine.head.durationMs / 1000, 2);
  });
});
