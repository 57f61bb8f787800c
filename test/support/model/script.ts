/**
 * A schedule with times: what is uploaded, deleted and told when, and what is true of it. Pure. Owns the truth that the
 * oracle compares with: which segment is whose, and in which order they were made.
 */
import { LivePlaylist } from '../packager-playlist.ts';
import type { BroadcastPlan, Schedule, SegmentPlan } from './schedule.ts';
import { SEGMENT_90K, SEGMENT_MS, truncateSegment } from './synthetic-segment.ts';

export const STREAM_KEY = 'thekey';
export const START_MS = Date.UTC(2026, 0, 1, 12);
const FIRST_BROADCAST_MS = 5000;
/** Where encoders begin to count: that of ffmpeg, or somewhere else each time. */
const FIRST_90K = 126_000;
const UPLOAD_MS = 100;
const REPAIR_MS = 1500;
const ALIKE_LATE_MS = 1000;
/** What a store's times tell apart. */
const SECOND_MS = 1000;
/** A clock that goes on either has no hole, or one that nobody takes for rounding. */
const SEAMLESS_MS = 1000;
const WRAP = 2 ** 33;

/** A segment as it was made. */
export interface TrueSegment {
  readonly id: string;
  readonly broadcast: number;
  /** Its place among all segments of all broadcasts of the key. */
  readonly place: number;
  readonly key: string;
  readonly first90k: number;
  /** What of it can be recorded; null where nothing ever could. */
  readonly bytes: Uint8Array | null;
  /** When it was there, whole or as whole as it ever was; null where it never was. */
  readonly uploadedMs: number | null;
}

export interface TrueBroadcast {
  readonly streamId: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly segments: readonly TrueSegment[];
}

export type ScriptEvent =
  | { readonly atMs: number; readonly kind: 'upload'; readonly key: string; readonly bytes: Uint8Array }
  | { readonly atMs: number; readonly kind: 'delete'; readonly key: string }
  | { readonly atMs: number; readonly kind: 'notify'; readonly key: string }
  | {
      readonly atMs: number;
      readonly kind: 'webhook';
      readonly event: 'stream.started' | 'stream.ended';
      readonly broadcast: number;
    };

export interface Script {
  readonly broadcasts: readonly TrueBroadcast[];
  readonly events: readonly ScriptEvent[];
  /** After it nothing happens any more. */
  readonly lastMs: number;
}

/** The bytes of a segment: which one it is, where its clock stands, and its place among those of its encoder. */
export type MakeSegment = (id: string, first90k: number, index: number) => Uint8Array;

export function writeScript(schedule: Schedule, make: MakeSegment): Script {
  const writer = new ScriptWriter(schedule, make);
  for (const plan of schedule.broadcasts) writer.broadcast(plan);
  return writer.finish();
}

interface UploadLimits {
  readonly mostLateMs: number;
  readonly lastMs: number;
}

class ScriptWriter {
  readonly #schedule: Schedule;
  readonly #make: MakeSegment;
  readonly #broadcasts: TrueBroadcast[] = [];
  readonly #events: ScriptEvent[] = [];
  #at = START_MS + FIRST_BROADCAST_MS;
  #place = 0;
  #clocks = 0;

  constructor(schedule: Schedule, make: MakeSegment) {
    this.#schedule = schedule;
    this.#make = make;
  }

  broadcast(plan: BroadcastPlan): void {
    const number = this.#broadcasts.length;
    const before = this.#broadcasts.at(-1);
    const startMs = before ? Math.max(before.startMs + 1000, before.endMs + plan.pauseMs) : this.#at;
    const others = new Set(this.#broadcasts.map((one) => one.streamId)).size;
    const streamId =
      before && plan.stream === 'same'
        ? before.streamId
        : `00000000-0000-4000-a000-${String(others).padStart(12, '0')}`;
    this.#at = startMs;
    const segments = this.#sessions(plan, number);
    const endMs = this.#at + UPLOAD_MS / 2;
    for (const [event, atMs, delays] of [
      ['stream.started', startMs, plan.started],
      ['stream.ended', endMs, plan.ended],
    ] as const) {
      for (const delay of delays) this.#events.push({ atMs: atMs + delay, kind: 'webhook', event, broadcast: number });
    }
    this.#broadcasts.push({ streamId, startMs, endMs, segments });
  }

  #sessions(plan: BroadcastPlan, broadcast: number): TrueSegment[] {
    const { playlist: shape, keep } = this.#schedule.settings;
    const playlist = new LivePlaylist(shape === 'window' ? { kind: 'window', segments: 5 } : { kind: shape });
    const segments: TrueSegment[] = [];
    let next90k = 0;
    let number = 0;
    for (const [session, { pauseMs, clock, numbers, segments: plans }] of plan.sessions.entries()) {
      const pause = session === 0 ? 0 : pauseMs;
      this.#at += pause;
      const anew = session === 0 || clock === 'anew';
      next90k = anew ? this.#firstStamp() : next90k + (pause < SEAMLESS_MS ? 0 : pause * 90);
      if (session > 0 && numbers === 'anew') {
        number = 0;
        playlist.restart(0);
      }
      const firstNumber = number;
      for (const [index, one] of plans.entries()) {
        const key = `${STREAM_KEY}/segment_${String(number).padStart(3, '0')}.ts`;
        const id = `b${broadcast}.s${session}.${index}`;
        const bytes = this.#make(id, next90k, index);
        this.#at += SEGMENT_MS;
        const isLast = session === plan.sessions.length - 1 && index === plans.length - 1;
        // Encoders that begin alike make segments that fit each other: then only their order in time tells them apart.
        const alike = this.#schedule.settings.sameClock && plan.sessions.length > 1 && !(isLast && index > 0);
        const lastMs = this.#lastUpload(plan, session, plans.length - 1 - index);
        const limits = { mostLateMs: alike ? ALIKE_LATE_MS : Number.POSITIVE_INFINITY, lastMs };
        const uploadedMs = this.#upload(one, key, bytes, limits);
        const old = keep !== null && number - keep >= firstNumber ? number - keep : null;
        if (old !== null)
          this.#events.push({
            atMs: this.#at,
            kind: 'delete',
            key: `${STREAM_KEY}/segment_${String(old).padStart(3, '0')}.ts`,
          });
        playlist.add({
          name: key.slice(STREAM_KEY.length + 1),
          durationMs: SEGMENT_MS,
          discontinuity: index === 0 && session > 0,
        });
        this.#list(playlist, isLast && plan.endList);
        segments.push({
          id,
          broadcast,
          place: this.#place,
          key,
          first90k: next90k,
          bytes: usable(one, bytes),
          uploadedMs,
        });
        this.#place += 1;
        next90k = (next90k + SEGMENT_90K) % WRAP;
        number += 1;
      }
    }
    return segments;
  }

  #firstStamp(): number {
    this.#clocks += 1;
    return this.#schedule.settings.sameClock ? FIRST_90K : (FIRST_90K + this.#clocks * 3_333_333_333) % WRAP;
  }

  /**
   * By when a segment is there at the latest. What an encoder made is uploaded before the next one's first segment:
   * otherwise the order of the two is anybody's guess.
   */
  #lastUpload(plan: BroadcastPlan, session: number, behind: number): number {
    const next = plan.sessions[session + 1];
    return next ? this.#at + behind * SEGMENT_MS + next.pauseMs + SEGMENT_MS - SECOND_MS : Number.POSITIVE_INFINITY;
  }

  /** Returns when the segment is there; null: never. */
  #upload(plan: SegmentPlan, key: string, bytes: Uint8Array, limits: UploadLimits): number | null {
    const { damage, told } = plan;
    if (damage === 'never') return null;
    const lateMs = Math.min(plan.lateMs, limits.mostLateMs);
    const repairMs = damage === 'repaired' ? REPAIR_MS : 0;
    const atMs = Math.max(this.#at, Math.min(this.#at + UPLOAD_MS + lateMs, limits.lastMs - repairMs));
    const html = Buffer.from('<html><body>502 Bad Gateway</body></html>');
    const damaged = { empty: new Uint8Array(), html, truncated: truncateSegment(bytes), repaired: html, none: bytes };
    this.#events.push({ atMs, kind: 'upload', key, bytes: damaged[damage] });
    for (const delay of told) this.#events.push({ atMs: atMs + delay, kind: 'notify', key });
    if (damage !== 'repaired') return atMs;
    this.#events.push({ atMs: atMs + repairMs, kind: 'upload', key, bytes });
    for (const delay of told) this.#events.push({ atMs: atMs + repairMs + delay, kind: 'notify', key });
    return atMs + repairMs;
  }

  #list(playlist: LivePlaylist, closed: boolean): void {
    const text = playlist.render(closed);
    if (text === undefined) return;
    const bytes = Buffer.from(text);
    this.#events.push({ atMs: this.#at + UPLOAD_MS + 20, kind: 'upload', key: `${STREAM_KEY}/index.m3u8`, bytes });
  }

  finish(): Script {
    const outages = this.#schedule.outages.map((outage) => START_MS + outage.fromMs + outage.forMs);
    const sweeps = this.#schedule.sweepsMs.map((at) => START_MS + at);
    const events = this.#events.toSorted((a, b) => a.atMs - b.atMs);
    const lastMs = Math.max(this.#at, ...events.map((event) => event.atMs), ...outages, ...sweeps);
    return { broadcasts: this.#broadcasts, events, lastMs };
  }
}

function usable({ damage }: SegmentPlan, bytes: Uint8Array): Uint8Array | null {
  if (damage === 'none' || damage === 'repaired') return bytes;
  // Of a packet that was cut only what is whole is kept.
  return damage === 'truncated' ? truncateSegment(bytes).subarray(0, 4 * 188) : null;
}
