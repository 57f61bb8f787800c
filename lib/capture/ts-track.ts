/**
 * What the packets of one elementary stream say while a segment is scanned: timestamps, the first unit and the decoder
 * configuration. Owns the state of one PID; the walk over packets is ts-scan.ts.
 */
import { unwrap90k } from './clock90k.ts';
import { type AudioConfig, readAudioFrames } from './codec-audio.ts';
import { readVideoUnit, type VideoConfig } from './codec-video.ts';
import { readPesHeader } from './ts-pes.ts';
import type { ElementaryStream } from './ts-psi.ts';

/** Enough for parameter sets, SEI and the first slice header of a unit. */
const FIRST_UNIT_HEAD = 32 * 1024;
const LATER_UNIT_HEAD = 4 * 1024;
/** A longer step between two units of one track within a segment is a jump of the clock, not a pause. */
const JUMP_90K = 10 * 90_000;
const MAX_DELTAS = 4096;

export class TrackScan {
  readonly stream: ElementaryStream;
  packets = 0;
  /** PES packets. */
  units = 0;
  corruptUnits = 0;
  scrambledUnits = 0;
  timestampJumps = 0;
  firstDts90k: number | null = null;
  /** Unwrapped from {@link firstDts90k}, as are the ones below. */
  lastDts90k = 0;
  minPts90k = 0;
  maxPts90k = 0;
  /** Time between the units, jumps left out. */
  elapsed90k = 0;
  /** Where the packet lies that began the last unit with a timestamp. */
  lastUnitAt = -1;
  keyframeFirst: boolean | null = null;
  video: VideoConfig | null = null;
  audio: AudioConfig | null = null;

  readonly #deltas: number[] = [];
  #head: Uint8Array | null = null;
  #headLength = 0;
  #headLimit = 0;
  /** Where in the head the elementary stream begins; -1 while the PES header is incomplete. */
  #payloadAt = -1;
  #randomAccess = false;
  #packetAt = -1;

  constructor(stream: ElementaryStream) {
    this.stream = stream;
  }

  /** A packet with payload_unit_start_indicator: a new PES packet begins at `start`. */
  begin(bytes: Uint8Array, start: number, end: number, randomAccess: boolean, packetAt: number): void {
    this.finishUnit();
    this.units++;
    this.#packetAt = packetAt;
    this.#randomAccess = randomAccess;
    const header = readPesHeader(bytes, start, end);
    if (header.state === 'corrupt') {
      this.corruptUnits++;
      return;
    }
    if (header.state === 'ok') {
      this.#record(header.pts90k, header.dts90k, header.scrambled);
      if (!this.#wantsHead() || header.scrambled) return;
      this.#openHead(0);
      this.#append(bytes, header.payloadAt, end);
      return;
    }
    this.#openHead(-1);
    this.#append(bytes, start, end);
  }

  /** A packet that goes on with the current PES packet. */
  continue(bytes: Uint8Array, start: number, end: number): void {
    if (this.#head !== null) this.#append(bytes, start, end);
  }

  /** Reads what was collected of the current unit; `whole` if the unit has ended. */
  finishUnit(whole = true): void {
    if (this.#head === null) return;
    const collected = this.#payloadAt < 0 ? null : this.#head.subarray(this.#payloadAt, this.#headLength);
    if (collected === null) this.corruptUnits++;
    this.#head = null;
    if (collected === null) return;
    if (this.stream.kind === 'video') {
      const unit = readVideoUnit(this.stream.codec, collected, whole && this.#headLength < this.#headLimit);
      this.video ??= unit.config;
      if (this.units === 1)
        this.keyframeFirst = unit.keyframe === null ? this.#randomAccess : unit.keyframe || this.#randomAccess;
    } else {
      this.audio ??= readAudioFrames(this.stream.codec, collected).config;
    }
  }

  /** The usual distance between two units; null with fewer than two. */
  medianDelta90k(): number | null {
    if (this.#deltas.length === 0) return null;
    const sorted = this.#deltas.toSorted((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? null;
  }

  #wantsHead(): boolean {
    if (this.stream.kind === 'video') return this.units === 1 || this.video === null;
    return this.stream.kind === 'audio' && this.audio === null;
  }

  #openHead(payloadAt: number): void {
    this.#headLimit = this.units === 1 ? FIRST_UNIT_HEAD : LATER_UNIT_HEAD;
    this.#head = new Uint8Array(this.#headLimit);
    this.#headLength = 0;
    this.#payloadAt = payloadAt;
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    if (this.#head === null) return;
    const room = Math.min(end - start, this.#headLimit - this.#headLength);
    if (room > 0) this.#head.set(bytes.subarray(start, start + room), this.#headLength);
    this.#headLength += Math.max(room, 0);
    if (this.#payloadAt < 0) this.#completeHeader();
    else if (this.#headLength >= this.#headLimit) this.finishUnit(false);
  }

  /** A PES header that went over the end of its first packet: rare, but stuffing makes it legal. */
  #completeHeader(): void {
    if (this.#head === null) return;
    const header = readPesHeader(this.#head, 0, this.#headLength);
    if (header.state === 'incomplete') return;
    if (header.state === 'corrupt') {
      this.corruptUnits++;
      this.#head = null;
      return;
    }
    this.#payloadAt = header.payloadAt;
    this.#record(header.pts90k, header.dts90k, header.scrambled);
    if (!this.#wantsHead() || header.scrambled) this.#head = null;
  }

  #record(pts: number | null, dts: number | null, scrambled: boolean): void {
    if (scrambled) this.scrambledUnits++;
    const raw = dts ?? pts; // without a DTS it equals the PTS (2.4.3.7)
    if (raw === null) return;
    this.lastUnitAt = this.#packetAt;
    const first = this.firstDts90k === null;
    const at = first ? raw : unwrap90k(this.lastDts90k, raw);
    const shown = unwrap90k(at, pts ?? raw);
    if (first) {
      this.firstDts90k = raw;
      this.minPts90k = shown;
      this.maxPts90k = shown;
    } else {
      this.#step(at - this.lastDts90k);
    }
    this.lastDts90k = at;
    this.minPts90k = Math.min(this.minPts90k, shown);
    this.maxPts90k = Math.max(this.maxPts90k, shown);
  }

  #step(delta: number): void {
    if (delta <= 0 || delta > JUMP_90K) {
      this.timestampJumps++;
      return;
    }
    this.elapsed90k += delta;
    if (this.#deltas.length < MAX_DELTAS) this.#deltas.push(delta);
  }
}
