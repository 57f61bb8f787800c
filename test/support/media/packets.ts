/**
 * Looks at finished files the way a stranger would: packets through ffprobe, a full decode through ffmpeg, the order of
 * the top-level boxes. Owns the comparison every differential test rests on.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './make-hls.ts';
import { ffmpeg, ffprobe } from './tools.ts';

export interface Packet {
  readonly pts: number | null;
  readonly dts: number | null;
  readonly size: number;
  /** `K` for a key frame, `D` for one to be dropped, as ffprobe says. */
  readonly flags: string;
  /** SHA-256 of the data, or `` when hashes were not asked for. */
  readonly hash: string;
}

export interface PacketStream {
  readonly index: number;
  readonly codec: string;
  readonly timeBase: string;
  readonly packets: readonly Packet[];
}

interface ProbeOutput {
  readonly streams?: readonly { index: number; codec_name?: string; time_base: string }[];
  readonly packets?: readonly ProbePacket[];
}

interface ProbePacket {
  readonly stream_index: number;
  readonly pts?: number;
  readonly dts?: number;
  readonly size: string;
  readonly flags: string;
  readonly data_hash?: string;
}

/**
 * Every packet of every stream of an MP4, in file order within its stream. Not for .ts: the packaged static ffprobe
 * crashes on the service description table in them.
 */
export async function packets(file: string, options: { hash?: boolean } = {}): Promise<PacketStream[]> {
  const hash = options.hash === true ? ['-show_data_hash', 'sha256'] : [];
  const entries = 'stream=index,codec_name,time_base:packet=stream_index,pts,dts,size,flags,data_hash';
  const { stdout } = await ffprobe([
    '-show_packets',
    '-show_streams',
    ...hash,
    '-show_entries',
    entries,
    '-of',
    'json=c=1',
    file,
  ]);
  const probed = JSON.parse(stdout) as ProbeOutput;
  const byStream = Map.groupBy(probed.packets ?? [], (packet) => packet.stream_index);
  return (probed.streams ?? []).map((stream) => ({
    index: stream.index,
    codec: stream.codec_name ?? 'unknown',
    timeBase: stream.time_base,
    packets: (byStream.get(stream.index) ?? []).map(toPacket),
  }));
}

function toPacket(packet: ProbePacket): Packet {
  return {
    pts: packet.pts ?? null,
    dts: packet.dts ?? null,
    size: Number(packet.size),
    // Versions of ffprobe differ in a third letter (corrupt) that says nothing of the file.
    flags: packet.flags.slice(0, 2),
    hash: packet.data_hash ?? '',
  };
}

/**
 * How two files differ, one line a difference, empty when every packet is equal in pts, dts, size, flags and data hash.
 * At most `limit` lines a stream, then how many more.
 */
export function comparePackets(
  actual: readonly PacketStream[],
  expected: readonly PacketStream[],
  limit = 5,
): string[] {
  const lines: string[] = [];
  if (actual.length !== expected.length) lines.push(`${actual.length} streams instead of ${expected.length}`);
  for (const [at, want] of expected.entries()) {
    const have = actual[at];
    if (have === undefined) continue;
    const name = `stream ${at} (${want.codec})`;
    if (have.codec !== want.codec) lines.push(`${name}: codec ${have.codec} instead of ${want.codec}`);
    if (have.timeBase !== want.timeBase) lines.push(`${name}: time base ${have.timeBase} instead of ${want.timeBase}`);
    if (have.packets.length !== want.packets.length) {
      lines.push(`${name}: ${have.packets.length} packets instead of ${want.packets.length}`);
    }
    lines.push(...differences(name, have.packets, want.packets, limit));
  }
  return lines;
}

function differences(name: string, have: readonly Packet[], want: readonly Packet[], limit: number): string[] {
  const found: string[] = [];
  for (const [at, expected] of want.entries()) {
    const actual = have[at];
    if (actual === undefined) break;
    const fields = (['pts', 'dts', 'size', 'flags', 'hash'] as const).filter(
      (field) => actual[field] !== expected[field],
    );
    if (fields.length === 0) continue;
    const detail = fields.map((field) => `${field} ${actual[field]} instead of ${expected[field]}`).join(', ');
    found.push(`${name} packet ${at}: ${detail}`);
  }
  return found.length <= limit
    ? found
    : [...found.slice(0, limit), `${name}: ${found.length - limit} more packets differ`];
}

/**
 * The yardstick: one ffmpeg over the joined bytes of one run. `-map` keeps every stream MP4 can carry; the wide probe
 * lets a track be found that begins late.
 */
export async function referenceRemux(
  files: readonly string[],
  options: { maps?: readonly string[] } = {},
): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readAll(file));
  const maps = options.maps ?? ['0'];
  const dir = await cached('reference', { bytes: hash.digest('hex'), maps }, async (into) => {
    const joined = await open(join(into, 'joined.ts'), 'w');
    for (const file of files) await joined.writeFile(await readAll(file));
    await joined.close();
    const probe = ['-probesize', '200000000', '-analyzeduration', '200000000'];
    const map = maps.flatMap((stream) => ['-map', stream]);
    await ffmpeg(['-v', 'error', ...probe, '-i', 'joined.ts', ...map, '-c', 'copy', 'out.mp4'], { cwd: into });
  });
  return join(dir, 'out.mp4');
}

async function readAll(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Top-level boxes with their offsets and sizes. */
export async function topLevelBoxes(file: string): Promise<{ type: string; offset: number; size: number }[]> {
  const handle = await open(file);
  try {
    const { size: total } = await handle.stat();
    const boxes: { type: string; offset: number; size: number }[] = [];
    const header = Buffer.alloc(16);
    for (let offset = 0; offset + 8 <= total; ) {
      await handle.read(header, 0, 16, offset);
      const short = header.readUInt32BE(0);
      const size = short === 1 ? Number(header.readBigUInt64BE(8)) : short === 0 ? total - offset : short;
      if (size < 8) throw new Error(`${file}: a box of ${size} bytes at ${offset}`);
      boxes.push({ type: header.toString('latin1', 4, 8), offset, size });
      offset += size;
    }
    return boxes;
  } finally {
    await handle.close();
  }
}

/** Throws unless `moov` lies before `mdat` and the boxes fill the file to its last byte. */
export async function assertFaststart(file: string): Promise<void> {
  const boxes = await topLevelBoxes(file);
  const types = boxes.map((box) => box.type);
  const moov = types.indexOf('moov');
  const mdat = types.indexOf('mdat');
  if (types[0] !== 'ftyp' || moov < 0 || mdat < 0 || moov > mdat) throw new Error(`not faststart: ${types.join(' ')}`);
  const last = boxes.at(-1);
  const handle = await open(file);
  const { size } = await handle.stat().finally(() => handle.close());
  if (last === undefined || last.offset + last.size !== size)
    throw new Error(`boxes end before or after ${size} bytes`);
}

/** Decodes everything; throws with ffmpeg's words when any packet is damaged. */
export async function fullDecode(file: string): Promise<void> {
  // Old versions give up when a track begins much later than the others.
  const queue = ['-max_muxing_queue_size', '100000'];
  const { stderr } = await ffmpeg(['-v', 'error', '-xerror', '-i', file, '-map', '0', ...queue, '-f', 'null', '-']);
  if (stderr.trim() !== '') throw new Error(`decoding ${file}: ${stderr.slice(0, 2000)}`);
}
