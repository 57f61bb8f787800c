/**
 * One pass over the packets of a segment: continuity, damage, tables, and each elementary stream's units. Owns the hot
 * loop (only unit starts are looked into); what the findings mean for the recording is ts-probe.ts.
 */
import { readPesHeader } from './ts-pes.ts';
import { type ElementaryStream, readPat, readPmt, SectionAssembler } from './ts-psi.ts';
import { findNextPacket, SYNC, TS_PACKET } from './ts-sync.ts';
import { TrackScan } from './ts-track.ts';

const NULL_PID = 0x1fff;
/** More programs or tracks than any live stream has; bounds the work on hostile tables. */
const MAX_PMT_PIDS = 64;
const MAX_TRACKS = 64;

export interface ScanDamage {
  /** Steps of a continuity counter that are neither +1 nor a permitted repetition (2.4.3.3): packets are lost. */
  continuityErrors: number;
  /** transport_error_indicator: the packet was damaged before it reached the packager. */
  transportErrors: number;
  /** Packets with a lost sync byte or an impossible adaptation field. */
  corruptPackets: number;
  /** Bytes between packets, skipped to find the next one. */
  droppedBytes: number;
  /** Bytes behind the last whole packet. */
  truncatedBytes: number;
  scrambledPackets: number;
  /** Packets of tracks that are there twice, as 2.4.3.3 allows. Not damage, but libavformat would read their data twice. */
  repeatedPackets: number;
}

export class SegmentScan {
  readonly tracks = new Map<number, TrackScan>();
  readonly damage: ScanDamage = {
    continuityErrors: 0,
    transportErrors: 0,
    corruptPackets: 0,
    droppedBytes: 0,
    truncatedBytes: 0,
    scrambledPackets: 0,
    repeatedPackets: 0,
  };
  packets = 0;
  pcrPid: number | null = null;
  sawPat = false;
  sawPmt = false;
  /** Where the last whole packet ends. */
  end: number;

  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #sections = new Map<number, SectionAssembler>();
  readonly #pmtPids = new Set<number>();
  readonly #pendingPmts = new Set<number>();
  /** Per PID: 0 unknown, 1 tables, 2 track. */
  readonly #role = new Uint8Array(8192);
  readonly #continuity = new Int8Array(8192).fill(-1);
  /** PIDs whose last packet was a repetition; a second one is an error. */
  readonly #repeated = new Uint8Array(8192);

  constructor(bytes: Uint8Array, start: number, known: readonly ElementaryStream[] = []) {
    this.#bytes = bytes;
    this.#start = start;
    this.end = start;
    this.#role[0] = 1;
    for (const stream of known) this.#addTrack(stream);
  }

  /** Looks for PAT and PMT first, since units before them count as well; then reads everything. */
  run(): void {
    this.#walk(true);
    this.#sections.clear();
    this.#walk(false);
    for (const track of this.tracks.values()) track.finishUnit(this.damage.truncatedBytes === 0);
  }

  #walk(tablesOnly: boolean): void {
    const bytes = this.#bytes;
    let at = this.#start;
    while (at + TS_PACKET <= bytes.length) {
      if (bytes[at] !== SYNC) {
        const next = findNextPacket(bytes, at + 1);
        if (!tablesOnly) this.#lostSync(at, next);
        if (next === bytes.length) break;
        at = next;
      }
      if (tablesOnly) this.#tablePacket(at);
      else this.#packet(at);
      at += TS_PACKET;
      if (!tablesOnly) this.end = at;
      else if (this.sawPat && this.#pendingPmts.size === 0) return;
    }
    if (!tablesOnly) this.damage.truncatedBytes = bytes.length - this.end;
  }

  #lostSync(at: number, next: number): void {
    this.damage.corruptPackets++;
    // Up to the end of the bytes it is a cut tail, counted as such.
    if (next < this.#bytes.length) this.damage.droppedBytes += next - at;
  }

  #tablePacket(at: number): void {
    const pid = (((this.#bytes[at + 1] ?? 0) & 0x1f) << 8) | (this.#bytes[at + 2] ?? 0);
    if (this.#role[pid] !== 1) return;
    const payload = this.#payloadAt(at);
    if (payload >= 0 && payload < at + TS_PACKET) this.#table(pid, at, payload);
  }

  /** Where the payload of a packet begins; -1 if it has none, or an impossible adaptation field (2.4.3.4). */
  #payloadAt(at: number): number {
    const control = ((this.#bytes[at + 3] ?? 0) >> 4) & 3;
    if (control === 1) return at + 4;
    if (control !== 3) return -1;
    const length = this.#bytes[at + 4] ?? 0;
    return length > 182 ? -1 : at + 5 + length;
  }

  #packet(at: number): void {
    const bytes = this.#bytes;
    const b1 = bytes[at + 1] ?? 0;
    const b3 = bytes[at + 3] ?? 0;
    this.packets++;
    if ((b1 & 0x80) !== 0) {
      this.damage.transportErrors++;
      return;
    }
    const pid = ((b1 & 0x1f) << 8) | (bytes[at + 2] ?? 0);
    if (pid === NULL_PID) return;
    const control = (b3 >> 4) & 3;
    if (control === 0 || (control >= 2 && (bytes[at + 4] ?? 0) > (control === 3 ? 182 : 183))) {
      this.damage.corruptPackets++;
      return;
    }
    if (control === 2) return; // no payload: the counter stands still
    const flags = control === 3 && (bytes[at + 4] ?? 0) > 0 ? (bytes[at + 5] ?? 0) : 0;
    if (!this.#inOrder(pid, b3 & 15, (flags & 0x80) !== 0)) return;
    const role = this.#role[pid];
    if (role === 0) return;
    if ((b3 & 0xc0) !== 0) {
      this.damage.scrambledPackets++;
      return;
    }
    const payload = control === 3 ? at + 5 + (bytes[at + 4] ?? 0) : at + 4;
    if (role === 1) this.#table(pid, at, payload);
    else this.#trackPacket(pid, at, payload, (b1 & 0x40) !== 0, (flags & 0x40) !== 0);
  }

  /** Judges the continuity counter; false for the one permitted repetition of a packet, which says nothing new. */
  #inOrder(pid: number, counter: number, discontinuity: boolean): boolean {
    const last = this.#continuity[pid] ?? -1;
    this.#continuity[pid] = counter;
    if (last < 0 || discontinuity || counter === ((last + 1) & 15)) {
      this.#repeated[pid] = 0;
      return true;
    }
    if (counter === last && this.#repeated[pid] === 0) {
      this.#repeated[pid] = 1;
      if (this.#role[pid] === 2) this.damage.repeatedPackets++;
      return false;
    }
    this.#repeated[pid] = 0;
    this.damage.continuityErrors++;
    return true;
  }

  #trackPacket(pid: number, at: number, payload: number, unitStart: boolean, randomAccess: boolean): void {
    const track = this.tracks.get(pid);
    if (track === undefined) return;
    track.packets++;
    if (unitStart) track.begin(this.#bytes, payload, at + TS_PACKET, randomAccess, at);
    else track.continue(this.#bytes, payload, at + TS_PACKET);
  }

  #table(pid: number, at: number, payload: number): void {
    let assembler = this.#sections.get(pid);
    if (assembler === undefined) {
      assembler = new SectionAssembler();
      this.#sections.set(pid, assembler);
    }
    const unitStart = ((this.#bytes[at + 1] ?? 0) & 0x40) !== 0;
    for (const section of assembler.push(this.#bytes.subarray(payload, at + TS_PACKET), unitStart)) {
      if (pid === 0) this.#readPat(section);
      else this.#readPmt(pid, section);
    }
  }

  #readPat(section: Uint8Array): void {
    const pat = readPat(section);
    if (pat === null) return;
    this.sawPat = true;
    for (const pid of pat.programs.values()) {
      if (this.#pmtPids.has(pid) || this.#pmtPids.size >= MAX_PMT_PIDS || this.#role[pid] === 2) continue;
      this.#pmtPids.add(pid);
      this.#pendingPmts.add(pid);
      this.#role[pid] = 1;
    }
  }

  #readPmt(pid: number, section: Uint8Array): void {
    const pmt = readPmt(section);
    if (pmt === null) return;
    this.sawPmt = true;
    this.#pendingPmts.delete(pid);
    this.pcrPid ??= pmt.pcrPid === NULL_PID ? null : pmt.pcrPid;
    for (const stream of pmt.streams) this.#addTrack(stream);
  }

  /** A table later in the segment can add tracks (2.4.4.9, version_number); what a PID was first stays. */
  #addTrack(stream: ElementaryStream): void {
    if (this.tracks.size >= MAX_TRACKS || this.#role[stream.pid] !== 0 || stream.pid === NULL_PID) return;
    this.#role[stream.pid] = 2;
    this.tracks.set(stream.pid, new TrackScan(stream));
  }
}

/** The payload of the PES packet that begins in the packet at `from`, without its header; at most `limit` bytes. */
export function readUnitPayload(bytes: Uint8Array, from: number, limit: number): Uint8Array {
  const pid = (at: number): number => (((bytes[at + 1] ?? 0) & 0x1f) << 8) | (bytes[at + 2] ?? 0);
  const wanted = pid(from);
  const unit = new Uint8Array(limit);
  let length = 0;
  for (let at = from; at + TS_PACKET <= bytes.length && bytes[at] === SYNC && length < limit; at += TS_PACKET) {
    const control = ((bytes[at + 3] ?? 0) >> 4) & 3;
    if (pid(at) !== wanted || (control & 1) === 0) continue;
    if (at !== from && ((bytes[at + 1] ?? 0) & 0x40) !== 0) break;
    const payload = control === 3 ? at + 5 + (bytes[at + 4] ?? 0) : at + 4;
    if (payload >= at + TS_PACKET) continue;
    const piece = bytes.subarray(payload, Math.min(at + TS_PACKET, payload + limit - length));
    unit.set(piece, length);
    length += piece.length;
  }
  const header = readPesHeader(unit, 0, length);
  return header.state === 'ok' ? unit.subarray(header.payloadAt, length) : unit.subarray(0, 0);
}
