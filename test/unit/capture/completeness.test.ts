/** The arithmetic of the completeness report. */
import { type LeftOutRow, type ReportRow, reportCompleteness } from '../../../lib/capture/completeness.ts';
import { orderSegments } from '../../../lib/capture/order.ts';
import { planRuns } from '../../../lib/capture/runs.ts';
import { type ProbeShape, probe, type RowShape, row, T0 } from './segments.ts';

function captured(number: number, at: number, shape: Partial<RowShape> & ProbeShape = {}): ReportRow {
  const base = row({ number, at, ...shape });
  return { ...base, probe: probe({ ...shape, first: base.firstDts90k ?? 0 }) };
}

function report(rows: ReportRow[], { leftOut = [], end = 20 }: { leftOut?: LeftOutRow[]; end?: number | null } = {}) {
  const { ordered, gaps } = orderSegments(rows);
  const segments = ordered.map((one) => ({
    ...one,
    discontinuity: false,
    modifiedAtMs: one.row.modifiedAtMs,
    probe: one.row.probe,
  }));
  return reportCompleteness({
    ordered,
    gaps,
    leftOut,
    runs: planRuns(segments).runs,
    startedAtMs: T0,
    endedAtMs: end === null ? null : T0 + end * 1000,
  });
}

const ten = Array.from({ length: 10 }, (_, i) => captured(i, 2 + i * 2));

describe('the completeness report', () => {
  it('of a recording with everything is complete', () => {
    expect(report(ten)).toEqual({
      complete: true,
      segments: { expected: 10, captured: 10, leftOut: 0, damaged: 0 },
      leftOut: [],
      damaged: [],
      gaps: [],
      runs: [{ reason: 'start', mediaAtMs: 0, durationMs: 20_000, segments: 10, wallClockGapMs: null }],
      mediaDurationMs: 20_000,
      wallClockDurationMs: 20_000,
      avOffsetMs: { start: 0, end: 0 },
    });
  });

  it('while it is being recorded is not complete yet', () => {
    expect(report(ten, { end: null })).toMatchObject({ complete: false, wallClockDurationMs: null });
  });

  it('of nothing is not complete', () => {
    expect(report([])).toMatchObject({
      complete: false,
      segments: { expected: 0, captured: 0 },
      mediaDurationMs: 0,
      avOffsetMs: { start: null, end: null },
    });
  });

  it('places a gap in the media and in real time, with its length and what is known of it', () => {
    const leftOut: LeftOutRow[] = [
      { name: 'segment_4.ts', number: 4, state: 'rejected', reason: 'SEGMENT_NOT_TS', modifiedAtMs: T0 + 10_000 },
      { name: 'segment_5.ts', number: 5, state: 'missing', reason: null, modifiedAtMs: null },
    ];
    const result = report(
      ten.filter(({ number }) => number !== 4 && number !== 5),
      { leftOut },
    );
    expect(result.complete).toBe(false);
    expect(result.segments).toEqual({ expected: 10, captured: 8, leftOut: 2, damaged: 0 });
    expect(result.gaps).toEqual([
      {
        epoch: 0,
        from: 4,
        to: 5,
        missing: 2,
        mediaAtMs: 8000,
        wallClockFrom: '2025-10-05T18:00:08Z',
        wallClockTo: '2025-10-05T18:00:12Z',
        lengthMs: 4000,
        reasons: ['SEGMENT_NOT_TS', 'missing'],
      },
    ]);
    expect(result.runs.map(({ reason, mediaAtMs, wallClockGapMs }) => [reason, mediaAtMs, wallClockGapMs])).toEqual([
      ['start', 0, null],
      ['gap', 8000, 4000],
    ]);
    expect(result.leftOut[0]).toEqual({
      name: 'segment_4.ts',
      number: 4,
      state: 'rejected',
      reason: 'SEGMENT_NOT_TS',
      at: '2025-10-05T18:00:10Z',
    });
  });

  it('expects a left-out segment that lies in no gap as well', () => {
    const leftOut: LeftOutRow[] = [
      { name: 'segment_10.ts', number: 10, state: 'rejected', reason: 'SEGMENT_EMPTY', modifiedAtMs: null },
    ];
    expect(report(ten, { leftOut })).toMatchObject({
      complete: false,
      segments: { expected: 11, captured: 10, leftOut: 1 },
    });
  });

  it('finds a left-out segment in a gap by its media sequence too', () => {
    const listed = ten
      .filter(({ number }) => number !== 4)
      .map((one) => ({ ...one, playlistSequence: (one.number ?? 0) + 100 }));
    const leftOut: LeftOutRow[] = [
      {
        name: 'segment_4.ts',
        number: 4,
        playlistSequence: 104,
        state: 'late',
        reason: 'after its part',
        modifiedAtMs: null,
      },
    ];
    const result = report(listed, { leftOut });
    expect(result.segments.expected).toBe(10);
    expect(result.gaps).toMatchObject([{ from: 104, to: 104, reasons: ['after its part'] }]);
  });

  it('measures a gap by the clock where the timestamps were set anew', () => {
    const anew = [6, 7].map((number, i) => captured(number, 30 + i * 2, { firstDts: 126_000 + i * 180_000 }));
    expect(report([...ten.slice(0, 5), ...anew]).gaps).toMatchObject([{ missing: 1, lengthMs: 18_000 }]);
  });

  it('names damaged segments; a recording with one is not complete', () => {
    const damaged = captured(3, 8);
    damaged.probe.damage.truncatedBytes = 77;
    damaged.probe.notes.push('cut off: 77 bytes');
    const result = report(ten.map((one) => (one.number === 3 ? damaged : one)));
    expect(result).toMatchObject({ complete: false, segments: { captured: 10, damaged: 1 } });
    expect(result.damaged).toEqual([{ name: 'segment_3.ts', number: 3, notes: ['cut off: 77 bytes'] }]);
  });

  it('tells how much later the sound begins and ends than the picture', () => {
    const offset = ten.map((one, i) =>
      i === 0 || i === 9 ? captured(i, 2 + i * 2, { audioOffset: i === 0 ? 1890 : -4050 }) : one,
    );
    expect(report(offset).avOffsetMs).toEqual({ start: 21, end: -45 });
  });

  it('has no such offset without sound', () => {
    expect(report([captured(0, 2, { tracks: ['video'] })]).avOffsetMs).toEqual({ start: null, end: null });
  });
});
