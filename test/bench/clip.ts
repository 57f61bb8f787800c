/**
 * What a clip of a long recording costs: `node test/bench/clip.ts 12h`. A looped minute becomes one real file of any length
 * in the store; clips of 30 s are cut in its middle and near its end, and compared with the segments they are from.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Upload } from '@aws-sdk/lib-storage';
import { parseDuration } from '../../lib/platform/config.ts';
import { createClip } from '../../lib/recordings/clips.ts';
import { createS3Client } from '../../lib/storage/s3-object-store.ts';
import { ffmpeg, type Packet, packets, referenceRemux } from '../support/media/index.ts';
import { type Harness, startHarness } from '../support/service-harness.ts';
import { makeSource, type StreamSource } from './stream-source.ts';

/** Six groups of pictures: fewer objects, the same packets. */
const SEGMENT_SECONDS = 12.012;
const CLIP_SECONDS = 30;

export interface ClipCost {
  /** Seconds into the recording. */
  readonly at: number;
  /** From the wish to the clip that can be downloaded, without and with the file's tables in memory. */
  readonly coldMs: number;
  readonly warmMs: number;
  /** CPU of the first, the store included: what does not depend on what else the machine does. */
  readonly coldCpuMs: number;
  readonly clipBytes: number;
  /** Packets of the clip, and how many of them are the source's own. */
  readonly packets: number;
  readonly equal: number;
}

export interface ClipResult {
  readonly fileBytes: number;
  readonly clips: readonly ClipCost[];
}

/** Makes a recording of `seconds` at about `bitsPerSecond` and clips it in its middle and near its end. */
export async function benchClips(
  seconds: number,
  bitsPerSecond: number,
  say: (line: string) => void,
): Promise<ClipResult> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-clip-'));
  const harness = await startHarness();
  try {
    say(`making ${seconds} s of stream`);
    const source = await makeSource(join(folder, 'source'), seconds, bitsPerSecond, SEGMENT_SECONDS);
    say(`one file of its ${source.segments.length} segments`);
    const id = await place(harness, source, seconds, folder);
    const { fileSizeBytes } = (await harness.context.recordings.find(id)) ?? { fileSizeBytes: 0 };
    const clips: ClipCost[] = [];
    for (const at of [seconds / 2 + 3.3, seconds - CLIP_SECONDS - 7.7]) {
      clips.push(await clipAt(harness, source, id, at, folder));
      say(JSON.stringify(clips.at(-1)));
    }
    return { fileBytes: fileSizeBytes, clips };
  } finally {
    await harness.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The file as a completed recording; how it came to be is another benchmark. */
async function place(harness: Harness, source: StreamSource, seconds: number, folder: string): Promise<string> {
  const file = join(folder, 'long.mp4');
  // The playlist names its segments without their folder.
  const playlist = join(source.folder, 'segments/index.m3u8');
  await copyFile(join(source.folder, 'index.m3u8'), playlist);
  await ffmpeg(['-loglevel', 'error', '-i', playlist, '-c', 'copy', '-movflags', '+faststart', '-y', file]);
  const client = createS3Client(harness.context.config);
  const body = { Bucket: 'recordings', Key: 'long.mp4', Body: createReadStream(file), ContentType: 'video/mp4' };
  await new Upload({ client, params: body }).done();
  const { size } = await stat(file);
  const id = randomUUID();
  await harness.context.db.query(
    `INSERT INTO recordings (id, stream_id, file_path, object_key, duration, file_size, status, completed_at, staging_removed_at)
     VALUES ($1, $2, 'recordings/long.mp4', 'long.mp4', $3, $4, 'completed', now(), now())`,
    [id, randomUUID(), Math.floor(seconds), size],
  );
  return id;
}

async function clipAt(
  harness: Harness,
  source: StreamSource,
  id: string,
  at: number,
  folder: string,
): Promise<ClipCost> {
  const times: number[] = [];
  const cpus: number[] = [];
  let clip: Awaited<ReturnType<typeof createClip>> | undefined;
  // What a process remembers of files is remembered by its database: another one has nothing in memory.
  const cold = harness.variant({}, { db: Object.create(harness.context.db) as typeof harness.context.db });
  for (let turn = 0; turn < 2; turn += 1) {
    const [from, cpu] = [performance.now(), process.cpuUsage()];
    clip = await createClip(cold, id, { start: at, end: at + CLIP_SECONDS });
    times.push(performance.now() - from);
    const { user, system } = process.cpuUsage(cpu);
    cpus.push((user + system) / 1000);
    if (clip.status !== 'ready') throw new Error(`The clip is ${clip.status}: ${clip.error}`);
  }
  const file = join(folder, 'clip.mp4');
  const { bytes } = await harness.store.get('recordings', `clips/${id}/${clip?.id}.mp4`, 30_000);
  await writeFile(file, bytes);
  const compared = await compare(file, source, at);
  const [coldMs = 0, warmMs = 0] = times;
  return { at, coldMs, warmMs, coldCpuMs: cpus[0] ?? 0, clipBytes: clip?.file_size ?? 0, ...compared };
}

/** The clip's packets against those of the segments around it, remuxed by ffmpeg: bytes, flags and distances in time. */
async function compare(file: string, source: StreamSource, at: number): Promise<{ packets: number; equal: number }> {
  const first = Math.max(0, Math.floor(at / SEGMENT_SECONDS) - 2);
  const around = source.segments.slice(first, first + Math.ceil(CLIP_SECONDS / SEGMENT_SECONDS) + 5);
  const [clip, whole] = [
    await packets(file, { hash: true }),
    await packets(await referenceRemux(around), { hash: true }),
  ];
  let [total, equal] = [0, 0];
  for (const stream of clip) {
    const original = whole.find((other) => other.codec === stream.codec);
    if (!original || original.timeBase !== stream.timeBase) throw new Error(`${stream.codec}: nothing to compare with`);
    total += stream.packets.length;
    equal += equalRun(stream.packets, original.packets);
  }
  return { packets: total, equal };
}

/** How many packets are equal from the best place on. */
function equalRun(clip: readonly Packet[], original: readonly Packet[]): number {
  let best = 0;
  for (const [start, packet] of original.entries()) {
    if (packet.hash !== clip[0]?.hash) continue;
    const shift = (packet.dts ?? 0) - (clip[0].dts ?? 0);
    const run = clip.findIndex((one, index) => !isSame(one, original[start + index], shift));
    best = Math.max(best, run < 0 ? clip.length : run);
  }
  return best;
}

const isSame = (one: Packet, other: Packet | undefined, shift: number): boolean =>
  other !== undefined &&
  one.hash === other.hash &&
  one.size === other.size &&
  one.flags[0] === other.flags[0] &&
  (one.dts ?? 0) + shift === other.dts &&
  (one.pts ?? 0) + shift === other.pts;

if (process.argv[1] === import.meta.filename) {
  const lengthMs = parseDuration(process.argv[2] ?? '12h') ?? 0;
  const { fileBytes } = await benchClips(lengthMs / 1000, 300_000, (line) => console.log(line));
  console.log(`the file has ${fileBytes} bytes`);
}
