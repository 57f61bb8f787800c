/**
 * Writes the transport stream of one slice: the packets that are its own, stamps moved, the frames that cross its ends
 * repaired. Owns bytes only; what belongs to the slice is decided in ts-carry.ts.
 */
import { setRules } from './parameter-sets.ts';
import { SETS_WITHIN } from './stream-sets.ts';
import type { Cut } from './ts-carry.ts';
import { PACKET, packetAt, packetise, pesHeader, withPayload, writeStamp } from './ts-packets.ts';
import { programTables } from './ts-program.ts';
import { type PesStart, pesBytes } from './ts-scan.ts';

export interface Assembled {
  /** To be written one behind the other. */
  readonly chunks: readonly Uint8Array[];
  /** By PID: the parameter sets put before the first access unit. */
  readonly prefixes: ReadonlyMap<number, readonly Uint8Array[]>;
}

/** The packets of one PID that are kept, from and up to (not including) a transport packet. */
interface Window {
  readonly cut: Cut;
  readonly from: number;
  readonly to: number;
}

/** Changes `ts`, which is the caller's own copy. `written` moves a stamp of the stream to the slice's clock. */
export function assemble(
  ts: Uint8Array,
  cuts: readonly Cut[],
  midRun: boolean,
  written: (raw: number) => number,
): Assembled {
  const edits = new Edits(ts);
  const windows = new Map<number, Window>();
  const prefixes = new Map<number, readonly Uint8Array[]>();
  for (const cut of cuts) {
    const window = windowOf(ts, cut, midRun);
    windows.set(cut.stream.pid, window);
    for (const start of cut.starts) {
      if (start.packet >= window.from && start.packet < window.to) edits.restamp(cut.stream.pid, start, written);
    }
    prefixes.set(cut.stream.pid, repairFirst(edits, cut));
  }
  const tails = cuts.map((cut) => tailOf(ts, cut, written));
  const packets = keep(ts, windows, edits);
  const continued = cuts.flatMap((cut, at) => {
    const tail = tails[at];
    if (tail === undefined) return [];
    const count = Math.ceil(tail.length / (PACKET - 4));
    return [packetise(tail, cut.stream.pid, packets.continuity(cut.stream.pid) + count)];
  });
  return {
    chunks: [programTables(cuts.map((cut) => cut.stream)), ...packets.chunks, ...continued],
    prefixes,
  };
}

/**
 * A slice in mid-run begins with its first stamped packet, since what lies before went with the slice ahead. A picture
 * ends where the next one begins: that one's packet goes along, and its sample is dropped again.
 */
function windowOf(ts: Uint8Array, cut: Cut, midRun: boolean): Window {
  const from = midRun ? (cut.first?.packet ?? 0) : 0;
  if (cut.next === undefined) return { cut, from, to: ts.length / PACKET };
  if (cut.kind === 'audio') return { cut, from, to: cut.next.packet };
  const { packets } = pesBytes(ts, cut.stream.pid, cut.next.packet);
  return { cut, from, to: (packets.at(-1) ?? cut.next.packet) + 1 };
}

/** The head of the next slice's first packet that is this slice's last frame, as a PES packet of its own. */
function tailOf(ts: Uint8Array, cut: Cut, written: (raw: number) => number): Uint8Array | undefined {
  if (cut.kind !== 'audio' || cut.next === undefined || cut.taken === 0) return undefined;
  const { bytes } = pesBytes(ts, cut.stream.pid, cut.next.packet);
  const header = new Uint8Array(bytes.subarray(0, pesHeader(bytes)?.headerBytes ?? 0));
  stamp(header, cut.next, written);
  return withPayload(header, bytes.subarray(header.length, header.length + cut.taken));
}

/** Takes off what the slice ahead has taken, and puts parameter sets before pictures that come without them. */
function repairFirst(edits: Edits, cut: Cut): readonly Uint8Array[] {
  if (cut.first === undefined) return [];
  const { pid, streamType } = cut.stream;
  const taken = cut.takenBefore;
  const rules = setRules(streamType);
  const inForce = cut.setsBefore.map((unit) => Buffer.from(unit, 'base64'));
  const pes = edits.pes(pid, cut.first);
  const headerBytes = pesHeader(pes)?.headerBytes ?? 0;
  const payload = pes.subarray(headerBytes + taken);
  const prefix = rules?.find(payload.subarray(0, SETS_WITHIN)).length === 0 ? inForce : [];
  if (taken > 0 || prefix.length > 0) {
    const repaired = rules?.putBefore(prefix, payload) ?? payload;
    edits.replace(pid, cut.first, withPayload(pes.subarray(0, headerBytes), repaired));
  }
  return prefix;
}

function stamp(pes: Uint8Array, start: PesStart, written: (raw: number) => number): void {
  writeStamp(pes, 9, written(start.pts));
  if (((pes[7] ?? 0) & 0xc0) === 0xc0) writeStamp(pes, 14, written(start.dts));
}

/** Changes to single PES packets; most are stamps changed in place. */
class Edits {
  /** Transport packet → what stands in its place. */
  readonly replaced = new Map<number, Uint8Array>();
  readonly #ts: Uint8Array;
  readonly #pes = new Map<number, Uint8Array>();

  constructor(ts: Uint8Array) {
    this.#ts = ts;
  }

  restamp(pid: number, start: PesStart, written: (raw: number) => number): void {
    const at = start.packet * PACKET;
    const payload = this.#ts.subarray(at + packetAt(this.#ts, at).payload, at + PACKET);
    if (payload.length >= 19) {
      stamp(payload, start, written);
      return;
    }
    // The header goes on in the next transport packet of the PID: packed anew into as many packets.
    const { bytes } = pesBytes(this.#ts, pid, start.packet);
    const pes = new Uint8Array(bytes);
    stamp(pes, start, written);
    this.replace(pid, start, pes);
  }

  /** The PES packet as edited so far. */
  pes(pid: number, start: PesStart): Uint8Array {
    return this.#pes.get(start.packet) ?? pesBytes(this.#ts, pid, start.packet).bytes;
  }

  replace(pid: number, start: PesStart, pes: Uint8Array): void {
    const { packets, lastContinuity } = pesBytes(this.#ts, pid, start.packet);
    for (const packet of packets) this.replaced.set(packet, new Uint8Array());
    this.replaced.set(start.packet, packetise(pes, pid, lastContinuity, packets.length));
    this.#pes.set(start.packet, pes);
  }
}

interface Kept {
  readonly chunks: Uint8Array[];
  /** Of the last packet of that PID. */
  readonly continuity: (pid: number) => number;
}

/** Runs of neighbouring packets are one chunk each. */
function keep(ts: Uint8Array, windows: ReadonlyMap<number, Window>, edits: Edits): Kept {
  const chunks: Uint8Array[] = [];
  const last = new Map<number, number>();
  const total = ts.length / PACKET;
  let open = -1;
  const close = (packet: number) => {
    if (open >= 0) chunks.push(ts.subarray(open * PACKET, packet * PACKET));
    open = -1;
  };
  for (let packet = 0; packet < total; packet++) {
    const at = packet * PACKET;
    const pid = (((ts[at + 1] ?? 0) & 0x1f) << 8) | (ts[at + 2] ?? 0);
    const window = windows.get(pid);
    const isKept = window !== undefined && packet >= window.from && packet < window.to;
    const instead = isKept ? edits.replaced.get(packet) : undefined;
    if (isKept) last.set(pid, (ts[at + 3] ?? 0) & 15);
    if (isKept && instead === undefined) {
      if (open < 0) open = packet;
      continue;
    }
    close(packet);
    if (instead !== undefined && instead.length > 0) chunks.push(instead);
  }
  close(total);
  return { chunks, continuity: (pid) => last.get(pid) ?? 0 };
}
