/** The last minutes of the ledger plan the same parts as all of it, whenever they are judged to suffice. */
import fc from 'fast-check';
import type { LedgerSegment } from '../../../lib/recordings/ledger-rows.ts';
import { orderTail } from '../../../lib/recordings/order-window.ts';
import { orderLedger } from '../../../lib/recordings/plan-file.ts';
import { type PartPlan, planPart } from '../../../lib/recordings/plan-part.ts';

const SEGMENT_MS = 6000;
const TICKS = SEGMENT_MS * 90;
const TAIL = 60;
const PART_SEGMENTS = 7;
const BEGIN = Date.parse('2025-10-05T18:00:00Z');

type Happening = 'next' | 'lost' | 'late' | 'restart' | 'pause' | 'jump';

function rowOf(id: number, number: number, dts: number, modifiedAtMs: number): LedgerSegment {
  const times = { firstDts90k: dts, lastDts90k: dts + TICKS - 3600, endDts90k: dts + TICKS };
  const track = {
    ...{ pid: 256, streamType: 27, codec: 'h264', kind: 'video', programNumber: 1, packets: 1, units: 1 },
    ...{ times: { ...times, minPts90k: dts, endPts90k: dts + TICKS }, keyframeFirst: true, fingerprint: 'a' },
    ...{ width: 320, height: 180, sampleRate: null, channels: null },
  };
  return {
    ...{ id, recordingId: 'r', sourceKey: `k/segment_${number}.ts`, sourceEtag: `e${id}`, nameNumber: number },
    ...{ modifiedAt: new Date(modifiedAtMs), playlistSequence: null, discontinuity: false, stagedKey: 's', size: 1 },
    ...{ state: 'captured', reason: null, firstDts90k: dts, endDts90k: dts + TICKS, durationMs: SEGMENT_MS },
    ...{ attempts: 0, nextAttemptAt: null, position: null, run: null, partNumber: null },
    capturedAt: new Date(modifiedAtMs),
    // Only what the runs are planned from.
    probe: { tracks: [track], firstDts90k: dts, endDts90k: dts + TICKS, durationMs: SEGMENT_MS },
  } as unknown as LedgerSegment;
}

/** The rows in the order of their arrival. */
function streamOf(happenings: readonly Happening[]): LedgerSegment[] {
  const rows: LedgerSegment[] = [];
  let [number, dts, at] = [0, 0, BEGIN];
  for (const happening of happenings) {
    if (happening === 'restart') [number, dts, at] = [0, 900_000, at + 15_000];
    if (happening === 'pause') at += 40_000;
    if (happening === 'jump') dts += 90_000 * 100;
    const late = happening === 'late' ? 9000 : 0;
    if (happening !== 'lost') rows.push(rowOf(rows.length + 1, number, dts, at + SEGMENT_MS + late));
    [number, dts, at] = [number + 1, dts + TICKS, at + SEGMENT_MS];
  }
  return rows.toSorted((a, b) => Number(a.modifiedAt) - Number(b.modifiedAt));
}

function plan(order: ReturnType<typeof orderLedger>, before: PartPlan['part'], last: boolean): PartPlan {
  const from = { tail: before?.tail ?? null, runs: before?.runs ?? 0 };
  return planPart(order, { ...from, partBytes: PART_SEGMENTS, last, isOpenGap: () => false });
}

/** As the ledger keeps it: the probe of a placed row is not read again. */
function placed(rows: readonly LedgerSegment[], part: NonNullable<PartPlan['part']>): LedgerSegment[] {
  const ids = part.slices.flatMap((slice) => slice.segments.map(({ segment }) => segment.id));
  return rows.map((row) => {
    const at = ids.indexOf(row.id);
    return at < 0 ? row : { ...row, position: part.firstPosition + at, probe: null };
  });
}

function tailOf(rows: readonly LedgerSegment[]): LedgerSegment[] {
  const end = Math.max(-1, ...rows.map((row) => row.position ?? -1));
  return rows.filter((row) => row.position === null || row.position > end - TAIL);
}

describe('the tail of the ledger', () => {
  it('plans every part as the whole ledger does, where it is judged to suffice', () => {
    const rare = fc.constantFrom<Happening>('lost', 'late', 'restart', 'pause', 'jump');
    const happening = fc.oneof(
      { weight: 40, arbitrary: fc.constant<Happening>('next') },
      { weight: 1, arbitrary: rare },
    );
    let compared = 0;
    fc.assert(
      fc.property(fc.array(happening, { minLength: 200, maxLength: 320, size: 'max' }), (happenings) => {
        const arriving = streamOf(happenings);
        let ledger: LedgerSegment[] = [];
        let before: PartPlan['part'] = null;
        while (arriving.length > 0) {
          ledger = [...ledger, ...arriving.splice(0, 9)];
          const whole = plan(orderLedger(ledger), before, arriving.length === 0);
          const tail = tailOf(ledger);
          const order = tail.length < ledger.length ? orderTail(tail) : null;
          if (order) {
            compared += 1;
            expect(plan(order, before, arriving.length === 0)).toEqual(whole);
          }
          if (whole.part === null) continue;
          before = whole.part;
          ledger = placed(ledger, whole.part);
        }
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(300);
  });

  it('does not suffice for a segment that belongs before its end, or that no number says where to put', () => {
    const rows = Array.from({ length: TAIL }, (_, at) => rowOf(at + 1, at + 100, at * TICKS, BEGIN + at * SEGMENT_MS));
    const tail = rows.map((row, at) => ({ ...row, position: at + 100 }));
    const next = rowOf(500, 160, TAIL * TICKS, BEGIN + TAIL * SEGMENT_MS);
    expect(orderTail([...tail, next])).not.toBeNull();
    expect(orderTail([...tail, { ...next, nameNumber: 99 }])).toBeNull();
    expect(orderTail([...tail, { ...next, nameNumber: 130 }])).toBeNull();
    expect(orderTail([...tail, { ...next, nameNumber: null }])).toBeNull();
    expect(orderTail([...tail, { ...next, modifiedAt: new Date(BEGIN) }])).toBeNull();
    expect(orderTail([...tail.slice(-20), next])).toBeNull();
  });

  it('does not suffice where it begins with a late segment, which its neighbours in front would have told from a restart', () => {
    const rows = Array.from({ length: TAIL }, (_, at) => rowOf(at + 1, at + 100, at * TICKS, BEGIN + at * SEGMENT_MS));
    const [first, ...others] = rows.map((row, at) => ({ ...row, position: at + 100 }));
    const late = { ...first, firstDts90k: 90_000_000, endDts90k: 90_000_000 + TICKS };
    const next = rowOf(500, 160, TAIL * TICKS, BEGIN + TAIL * SEGMENT_MS);
    const at = (ms: number) => ({ ...late, modifiedAt: new Date(BEGIN + ms) }) as LedgerSegment;
    expect(orderTail([at(0), ...others, next])).not.toBeNull();
    expect(orderTail([at(SEGMENT_MS + 9000), ...others, next])).toBeNull();
  });
});
