/**
 * Writes one run as one file for the concat demuxer, and finds out what a list of runs must say of it. Owns reading the
 * segments one at a time, whatever the length of the run; running ffmpeg over the files is concat.ts.
 */
import { open, readFile, rm } from 'node:fs/promises';
import { planSlice, type RunCarry } from './ts-carry.ts';
import { aligned, PACKET, ticksSince } from './ts-packets.ts';
import { type ElementaryStream, ProgramReader } from './ts-program.ts';
import { type PesStart, scanStreams } from './ts-scan.ts';

export interface RunFile {
  /** All of the program map, in its order, which is that of ffmpeg's stream numbers. */
  readonly streams: readonly ElementaryStream[];
  /** PIDs that have packets. */
  readonly present: ReadonlySet<number>;
  /** For rolling the run's tail: the clock at the end of the segment before it; the run's first time stamp is 0. */
  readonly beforeTail: RunCarry | undefined;
  /** The run's last segments. */
  readonly tail: readonly Uint8Array[];
  readonly warnings: readonly string[];
}

/** Enough for two pictures and their key frame. */
const TAIL_SEGMENTS = 3;

/**
 * Joins the segments to `path`. Packets of streams MP4 does not carry become null packets: they would move the start of
 * the file. `consume` deletes each segment when it is written.
 */
export async function writeRunFile(segments: readonly string[], path: string, consume: boolean): Promise<RunFile> {
  const out = await open(path, 'w');
  const program = new ProgramReader();
  const present = new Set<number>();
  const tail: Uint8Array[] = [];
  let clock: { raw: number; ticks: number } | undefined;
  let first: RunCarry | undefined;
  let beforeTail: { raw: number; ticks: number } | undefined;
  try {
    for (const segment of segments) {
      const bytes = aligned(await readFile(segment));
      const starts = scanStreams(bytes, program);
      for (const pid of starts.keys()) present.add(pid);
      first ??= planSlice({ ts: new Uint8Array(bytes), ownBytes: bytes.length, from: { start90k: 0 } }).carry;
      tail.push(bytes);
      if (tail.length > TAIL_SEGMENTS) {
        tail.shift();
        beforeTail = clock;
      }
      clock = advance(clock, first, starts, program);
      await out.writeFile(withoutLeftOut(bytes, program));
      if (consume) await rm(segment);
    }
  } finally {
    await out.close();
  }
  const streams = [...program.streams.values()];
  return { streams, present, beforeTail: carryAt(first, beforeTail), tail, warnings: leftOut(streams, present) };
}

/** Follows the clock from segment to segment, so that a run may last longer than the 33 bits of its time stamps. */
function advance(
  clock: { raw: number; ticks: number } | undefined,
  first: RunCarry | undefined,
  starts: ReadonlyMap<number, readonly PesStart[]>,
  program: ProgramReader,
): { raw: number; ticks: number } | undefined {
  if (clock === undefined) return first === undefined ? undefined : { raw: first.anchorRaw, ticks: first.anchor90k };
  const carried = [...program.streams.values()].filter((stream) => stream.kind !== undefined);
  const last = carried.flatMap((stream) => starts.get(stream.pid)?.at(-1) ?? []).at(0);
  return last === undefined ? clock : { raw: last.dts, ticks: clock.ticks + ticksSince(last.dts, clock.raw) };
}

function carryAt(first: RunCarry | undefined, clock: { raw: number; ticks: number } | undefined): RunCarry | undefined {
  if (first === undefined || clock === undefined) return undefined;
  return { ...first, anchorRaw: clock.raw, anchor90k: clock.ticks, taken: {} };
}

function withoutLeftOut(bytes: Uint8Array, program: ProgramReader): Uint8Array {
  const unwanted = new Set(
    [...program.streams.values()].filter((stream) => stream.kind === undefined).map((stream) => stream.pid),
  );
  if (unwanted.size === 0) return bytes;
  for (let at = 0; at < bytes.length; at += PACKET) {
    const pid = (((bytes[at + 1] ?? 0) & 0x1f) << 8) | (bytes[at + 2] ?? 0);
    if (!unwanted.has(pid)) continue;
    bytes[at + 1] = 0x1f;
    bytes[at + 2] = 0xff;
    bytes[at + 3] = 0x10;
  }
  return bytes;
}

function leftOut(streams: readonly ElementaryStream[], present: ReadonlySet<number>): string[] {
  return streams
    .filter((stream) => stream.kind === undefined && (present.has(stream.pid) || stream.streamType === 134))
    .map((stream) => `left out: ${stream.name} (PID ${stream.pid}), which MP4 does not carry`);
}
