/**
 * Cuts a run into slices that ffmpeg can remux one by one with the result of one piece. Owns what crosses a cut: PES
 * packets and audio frames, parameter sets, the program map, the clock. Pure functions over bytes; running is roll.ts.
 *
 *     segment b-1        │ segment b
 *     …  V7   A5  V8 ────┼─► V8's rest   A6 (its head: A5's last frame)  V9 …
 *        slice N takes   │  V8's rest, A5's last frame, and V9 as the end of V8, which it drops again
 *        slice N+1       │  begins with V9, and with A6 behind that head
 */
import { takenBehindCut } from './split-frames.ts';
import { latestSets } from './stream-sets.ts';
import { assemble } from './ts-assemble.ts';
import { PACKET, ticksSince, WRAP } from './ts-packets.ts';
import { type ElementaryKind, type ElementaryStream, ProgramReader } from './ts-program.ts';
import { type PesStart, scanStreams } from './ts-scan.ts';

const SECOND = 90_000;
/** Room below the first time stamp of a slice, for decoding times ahead of presentation. */
const LEAD_SECONDS = 10;
/**
 * Stamps are moved by multiples of this, 1024 s. Where a PES packet holds several audio frames, libavformat counts the
 * later ones' times in whole frames from 0 (av_add_stable), so a time depends on where the clock stands. 1024 s are a
 * whole number of 90 kHz ticks and, for every sample rate and frame length in use, a period of that rounding.
 */
const STEADY = 1024 * SECOND;

/** What the next slice of the same run must know. JSON; some hundred bytes. */
export interface RunCarry {
  /** A time stamp of the stream, and the same instant on the recording's clock. */
  readonly anchorRaw: number;
  readonly anchor90k: number;
  /** The recording's clock less libavformat's, which does not wrap within a run. */
  readonly offset90k: number;
  readonly streams: readonly ElementaryStream[];
  /** By PID: bytes at the beginning of the next payload that the slice before has taken. */
  readonly taken: Readonly<Record<string, number>>;
  /** By PID: the parameter sets in force, base64 each. */
  readonly parameterSets: Readonly<Record<string, readonly string[]>>;
}

export interface SliceInput {
  /**
   * The slice's segments joined, whole packets (ts-packets.ts, aligned), and what follows in the same run, enough for
   * one more PES packet of each stream. The caller's own copy: it is changed, and the slice refers to it.
   */
  readonly ts: Uint8Array;
  /** How much of it is the slice's own; all of it where the run ends. */
  readonly ownBytes: number;
  /** From the slice before, or where on the recording's clock a new run begins. */
  readonly from: RunCarry | { readonly start90k: number };
}

export interface SliceStream {
  readonly stream: ElementaryStream;
  readonly kind: ElementaryKind;
  /** Which of its kind, and which of all, in the run's map. */
  readonly ordinal: number;
  readonly position: number;
  /** Samples from this decoding time on are the next slice's; on the slice's clock. */
  readonly endDts: number | undefined;
  /** Parameter sets put before the first access unit, to be taken off the first sample again. */
  readonly prefix: readonly Uint8Array[];
  /** It is not among the first packets of the slice, where ffmpeg looks for streams by itself. */
  readonly beginsLate: boolean;
}

/** What a slice holds and how its clock runs; its bytes are not touched yet. */
export interface SlicePlan {
  /** The streams that have packets of their own in it. */
  readonly streams: readonly PlannedStream[];
  /** False where it begins its run. */
  readonly midRun: boolean;
  /** What ffmpeg must add to the stamps (`-itsoffset`) to come to the slice's clock, in ticks. */
  readonly addTicks: number;
  /** Whole seconds by which the slice's clock is behind the recording's. */
  readonly shiftSeconds: number;
  /** Moves a stamp of the stream to the slice's clock. */
  readonly onSlice: (raw: number) => number;
  /** The run goes on, but what follows did not reach to the next PES packet of every stream: plan again with more. */
  readonly wantsMore: boolean;
  /** Undefined while a run has not shown a stream to set its clock by. */
  readonly carry: RunCarry | undefined;
  readonly warnings: readonly string[];
}

export interface PlannedStream extends Omit<SliceStream, 'stream' | 'kind' | 'prefix'> {
  readonly cut: Cut;
}

/** What ffmpeg is to read of a slice. */
export interface AssembledSlice {
  /** A map of exactly these streams, their packets, stamps moved. Empty when there is nothing to remux. */
  readonly chunks: readonly Uint8Array[];
  readonly streams: readonly SliceStream[];
}

export function planSlice(input: SliceInput): SlicePlan {
  const known = 'streams' in input.from ? input.from : undefined;
  const program = new ProgramReader(known?.streams);
  const { ts } = input;
  const end = input.ownBytes / PACKET;
  const starts = scanStreams(ts, program);
  const streams = [...program.streams.values()];
  const cuts = streams
    .filter((stream) => stream.kind !== undefined)
    .flatMap((stream) => cutOf(ts, stream, starts, end, known));
  const active = cuts.filter((cut) => cut.first !== undefined);
  const clock = clockOf(cuts, active, input.from);
  const base = { midRun: known !== undefined, warnings: leftOut(streams, starts) };
  if (clock === undefined) {
    const nothing = { streams: [], addTicks: 0, shiftSeconds: 0, onSlice: (raw: number) => raw };
    return { ...base, ...nothing, wantsMore: program.streams.size === 0, carry: known };
  }
  const absolute = (raw: number) => clock.anchor90k + ticksSince(raw, clock.anchorRaw);
  const earliest = Math.min(...active.map((cut) => absolute(cut.first?.dts ?? 0)));
  const shiftSeconds = Math.floor(earliest / SECOND) - LEAD_SECONDS;
  const onSlice = (raw: number) => absolute(raw) - shiftSeconds * SECOND;
  const steps = Math.floor((earliest - clock.offset90k - LEAD_SECONDS * SECOND) / STEADY);
  const ordinals = ordinalsOf(streams);
  return {
    ...base,
    streams: active.map((cut) => ({
      cut,
      ordinal: ordinals.get(cut.stream.pid)?.ordinal ?? 0,
      position: ordinals.get(cut.stream.pid)?.position ?? 0,
      endDts: cut.next === undefined ? undefined : onSlice(cut.next.dts),
      beginsLate: beginsLate(cut, earliest, absolute),
    })),
    addTicks: clock.offset90k + steps * STEADY - shiftSeconds * SECOND,
    shiftSeconds,
    onSlice,
    wantsMore: ts.length > input.ownBytes && active.some((cut) => cut.next === undefined),
    carry: carryOn(cuts, streams, absolute, clock.offset90k),
  };
}

/** Changes `ts`, which the plan was made of; what it answers with refers to it. */
export function assembleSlice(ts: Uint8Array, plan: SlicePlan): AssembledSlice {
  if (plan.streams.length === 0) return { chunks: [], streams: [] };
  const written = (raw: number) => plan.onSlice(raw) - plan.addTicks;
  const cuts = plan.streams.map(({ cut }) => cut);
  const { chunks, prefixes } = assemble(ts, cuts, plan.midRun, written);
  const streams = plan.streams.map(({ cut, ...planned }) => ({
    ...planned,
    stream: cut.stream,
    kind: cut.kind,
    prefix: prefixes.get(cut.stream.pid) ?? [],
  }));
  return { chunks, streams };
}

/** Half of what ffmpeg looks at where it is not told otherwise: 5 MB and 5 s. */
function beginsLate(cut: Cut, earliest: number, absolute: (raw: number) => number): boolean {
  if (cut.first === undefined) return false;
  return cut.first.packet * PACKET > 2_500_000 || absolute(cut.first.dts) - earliest > 2.5 * SECOND;
}

export interface Cut {
  readonly stream: ElementaryStream;
  readonly kind: ElementaryKind;
  /** The first PES packet that is the slice's own; undefined when it has none. */
  readonly first: PesStart | undefined;
  /** All of them, here and in what follows. */
  readonly starts: readonly PesStart[];
  /** How many of those are its own. */
  readonly own: number;
  /** The first one of the next slice, in what follows. */
  readonly next: PesStart | undefined;
  /** Bytes of `first`'s payload that went with the slice before, and of `next`'s that go with this one. */
  readonly takenBefore: number;
  readonly taken: number;
  /** The parameter sets in force at the slice's first picture, and behind its last one; base64. */
  readonly setsBefore: readonly string[];
  readonly setsBehind: readonly string[];
}

function cutOf(
  ts: Uint8Array,
  stream: ElementaryStream,
  starts: ReadonlyMap<number, readonly PesStart[]>,
  end: number,
  known: RunCarry | undefined,
): Cut[] {
  const all = starts.get(stream.pid) ?? [];
  const own = all.filter((start) => start.packet < end);
  const next = all[own.length];
  const { kind } = stream;
  if (kind === undefined) return [];
  const taken = next === undefined ? 0 : takenBehindCut(ts, stream, own, next);
  const takenBefore = known?.taken[stream.pid] ?? 0;
  const ownSets = latestSets(ts, stream, own);
  // Where a run begins between two key frames, ffmpeg describes it by the first sets to come.
  const toCome = ownSets.length > 0 ? [] : latestSets(ts, stream, all.slice(own.length).toReversed());
  const setsBefore = known?.parameterSets[stream.pid] ?? toCome;
  return [
    {
      stream,
      kind,
      first: own[0],
      starts: all,
      own: own.length,
      next,
      takenBefore,
      // With nothing of its own, what an earlier slice took of the stream's next payload stays taken.
      taken: own.length === 0 ? takenBefore : taken,
      setsBefore,
      setsBehind: ownSets.length > 0 ? ownSets : setsBefore,
    },
  ];
}

type Clock = Pick<RunCarry, 'anchorRaw' | 'anchor90k' | 'offset90k'>;

/** A run's clock begins with its first presentation time, whichever stream has it. */
function clockOf(cuts: readonly Cut[], active: readonly Cut[], from: SliceInput['from']): Clock | undefined {
  if ('anchorRaw' in from) return active.length === 0 ? undefined : from;
  // Also of a stream whose first packet is in what follows: it may lie behind and be earlier all the same.
  const stamps = cuts.flatMap((cut) => cut.starts.slice(0, 1).map((start) => start.pts));
  const [some] = stamps;
  if (some === undefined || active.length === 0) return undefined;
  const anchorRaw = stamps.reduce((least, stamp) => (ticksSince(stamp, least) < 0 ? stamp : least), some);
  // libavformat counts down to 0 where the first stamp it sees is within a minute of the wrap (update_wrap_reference).
  const firstSeen = active.flatMap((cut) => cut.first ?? []).reduce((a, b) => (b.packet < a.packet ? b : a)).dts;
  const lavf = anchorRaw - (firstSeen >= WRAP - 60 * SECOND && anchorRaw > WRAP / 2 ? WRAP : 0);
  return { anchorRaw, anchor90k: from.start90k, offset90k: from.start90k - lavf };
}

function leftOut(streams: readonly ElementaryStream[], starts: ReadonlyMap<number, readonly PesStart[]>): string[] {
  return streams
    .filter((stream) => stream.kind === undefined && (starts.has(stream.pid) || stream.streamType === 134))
    .map((stream) => `left out: ${stream.name} (PID ${stream.pid}), which MP4 does not carry`);
}

function ordinalsOf(streams: readonly ElementaryStream[]): Map<number, { ordinal: number; position: number }> {
  const carried = streams.filter((stream) => stream.kind !== undefined);
  return new Map(
    carried.map((stream, position) => {
      const ordinal = carried.slice(0, position).filter((other) => other.kind === stream.kind).length;
      return [stream.pid, { ordinal, position }];
    }),
  );
}

function carryOn(
  cuts: readonly Cut[],
  streams: readonly ElementaryStream[],
  absolute: (raw: number) => number,
  offset90k: number,
): RunCarry {
  const lasts = cuts.flatMap((cut) => cut.starts.slice(0, cut.own).slice(-1));
  const anchorRaw = lasts.reduce((best, start) => (start.packet > best.packet ? start : best)).dts;
  const taken: Record<string, number> = {};
  const sets: Record<string, readonly string[]> = {};
  for (const cut of cuts) {
    const { pid } = cut.stream;
    if (cut.taken > 0) taken[pid] = cut.taken;
    if (cut.setsBehind.length > 0) sets[pid] = cut.setsBehind;
  }
  return { anchorRaw, anchor90k: absolute(anchorRaw), offset90k, streams, taken, parameterSets: sets };
}
