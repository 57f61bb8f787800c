/**
 * One recording's file, ledger and report: that they are what they should be, and say the same. Owns those checks; what
 * holds between recordings is oracle.ts.
 */
import type { CompletenessReport } from '../../../lib/capture/completeness.ts';
import type { LedgerSegment } from '../../../lib/recordings/ledger-rows.ts';
import { orderLedger, planLedgerRuns } from '../../../lib/recordings/plan-file.ts';
import type { Recording, UnclaimedObject } from '../../../lib/recordings/recording.ts';
import { computeReport } from '../../../lib/recordings/report.ts';
import type { TrueSegment } from './script.ts';
import { joinRuns, readMovie } from './synthetic-media.ts';
import { markOf, readFrames, SEGMENT_90K } from './synthetic-segment.ts';
import type { Truth } from './truth.ts';
import { BUCKET, type World } from './world.ts';

/** The file is there, is what the row says, and shows whole segments in the order in which they were made. */
export async function judgeFile(
  world: World,
  truth: Truth,
  recording: Recording,
  say: (text: string) => void,
): Promise<TrueSegment[]> {
  const object = world.store.objects(BUCKET).find(({ key }) => key === recording.objectKey);
  if (recording.filePath !== `${BUCKET}/${recording.objectKey}`) say(`file_path is ${recording.filePath}`);
  if (!object) {
    say('its file is not there');
    return [];
  }
  if (object.size !== recording.fileSizeBytes) say(`file_size ${recording.fileSizeBytes}, the file has ${object.size}`);
  const frames = readMovie(object.bytes);
  const ids = [...new Set(frames.map((frame) => frame.id))];
  const shown = ids.map((id) => truth.byId.get(id)).filter((segment) => segment !== undefined);
  // Of two that nothing tells apart each has what it has, in whatever order its times say.
  if (shown.some((segment) => truth.blurred.has(segment.broadcast) || truth.strays.has(segment.id))) return shown;
  if (overtakesEncoder(shown) || fitsInFront(shown, truth)) return shown;
  const inOrder = shown.toSorted((a, b) => a.place - b.place);
  if (shown.some((segment, at) => segment !== inOrder[at])) say(`wrong order: ${ids.join(' ')}`);
  const reference = readMovie(joinRuns(runsOf(shown)));
  const text = (one: readonly { id: string; frame: number; dts: number }[]) =>
    one.map(({ id, frame, dts }) => `${id}#${frame}@${dts / 90}`).join(' ');
  if (text(frames) !== text(reference)) say(`shows\n    ${text(frames)}\n  instead of\n    ${text(reference)}`);
  return shown;
}

/** A segment was uploaded when the next encoder's first ones were there: whether it is late or of a third one, who knows. */
function overtakesEncoder(shown: readonly TrueSegment[]): boolean {
  return shown.some((late) =>
    shown.some(
      (next) =>
        next.place > late.place && session(next) !== session(late) && (next.uploadedMs ?? 0) <= (late.uploadedMs ?? 0),
    ),
  );
}

const session = ({ id }: TrueSegment) => id.split('.').slice(0, 2).join('.');

/**
 * What a segment continues was lost, and a later encoder has made one just like it: under the name before, ending where
 * this one begins. Encoders that begin at the same time stamp do.
 */
function fitsInFront(shown: readonly TrueSegment[], truth: Truth): boolean {
  const all = [...truth.byId.values()];
  return shown.some((one) => {
    const before = all.find((other) => other.place === one.place - 1);
    if (!before || shown.includes(before) || session(before) !== session(one)) return false;
    return shown.some(
      (other) => other.place > one.place && other.key === before.key && other.first90k === before.first90k,
    );
  });
}

/** The runs that these segments make: what continues is one. */
function runsOf(segments: readonly TrueSegment[]): Uint8Array[][] {
  const runs: Uint8Array[][] = [];
  let end90k: number | null = null;
  for (const { bytes, first90k } of segments) {
    if (!bytes) continue;
    if (end90k !== null && end90k === first90k) runs.at(-1)?.push(bytes);
    else runs.push([bytes]);
    end90k = (first90k + (readFrames(bytes).length * SEGMENT_90K) / 4) % 2 ** 33;
  }
  return runs;
}

/** Ledger, report and file say the same; and the short way would make the same file of it. */
export function judgeLedger(
  world: World,
  truth: Truth,
  recording: Recording,
  rows: readonly LedgerSegment[],
  shown: readonly TrueSegment[],
  unclaimed: readonly UnclaimedObject[],
  say: (text: string) => void,
): void {
  const captured = rows.filter((row) => row.state === 'captured');
  const staged = new Map(captured.map((row) => [row.id, stagedBytes(world, row)]));
  const idOf = (row: LedgerSegment) => {
    const bytes = staged.get(row.id);
    return bytes ? markOf(bytes).id : `${row.sourceKey} (not staged)`;
  };
  const held = captured.map(idOf).sort().join(' ');
  const inFile = shown
    .map((segment) => segment.id)
    .sort()
    .join(' ');
  if (held !== inFile) say(`the ledger has ${held}, the file shows ${inFile}`);
  if (captured.some((row) => row.position === null)) say('a captured segment has no place');
  const anew = rows.map((row) => ({ ...row, position: null, run: null, partNumber: null }));
  const { runs } = planLedgerRuns(orderLedger(anew).ordered);
  const whole = runs.map((run) => run.segments.map(({ segment }) => staged.get(segment.id) ?? new Uint8Array()));
  const object = world.store.objects(BUCKET).find(({ key }) => key === recording.objectKey);
  if (object && captured.length > 0) {
    const [short, file] = [readMovie(joinRuns(whole)), readMovie(object.bytes)].map((frames) => JSON.stringify(frames));
    if (short !== file) say(`the short way would show ${short}`);
  }
  judgeReport(world, truth, computeReport(recording, rows, unclaimed), shown, say);
}

function judgeReport(
  world: World,
  truth: Truth,
  report: CompletenessReport,
  shown: readonly TrueSegment[],
  say: (text: string) => void,
): void {
  if (report.segments.captured !== shown.length)
    say(`the report counts ${report.segments.captured} segments, the file shows ${shown.length}`);
  const [first, last] = [shown[0]?.place ?? 0, shown.at(-1)?.place ?? -1];
  const of = new Set(shown.map((segment) => segment.broadcast));
  const all = world.script.broadcasts.flatMap((one) => one.segments).filter((segment) => of.has(segment.broadcast));
  const lost = all.filter((segment) => segment.place > first && segment.place < last && !shown.includes(segment));
  const cut = shown.filter((segment) => segment.bytes && readFrames(segment.bytes).length < 4);
  // Between encoders that number anew nothing tells how many there were.
  const inner = lost.filter(
    (segment) => !truth.blurred.has(segment.broadcast) && continuesAround(segment, shown) && !hasTwin(segment, shown),
  );
  if (report.complete && (inner.length > 0 || cut.length > 0))
    say(`the report says complete, but lost are ${inner.map((one) => one.id)}, cut are ${cut.map((one) => one.id)}`);
}

/** Another encoder made one that nothing but its time tells from it, and that stands in its place. */
export function hasTwin(lost: TrueSegment | undefined, shown: readonly TrueSegment[]): boolean {
  return shown.some((one) => one.key === lost?.key && one.first90k === lost.first90k);
}

/** Segments of the same session are shown on both sides of it. */
function continuesAround(segment: TrueSegment, shown: readonly TrueSegment[]): boolean {
  const session = segment.id.split('.').slice(0, 2).join('.');
  const same = shown.filter((one) => one.id.startsWith(`${session}.`));
  return same.some((one) => one.place < segment.place) && same.some((one) => one.place > segment.place);
}

/** What is staged of a row; null where it is not all there. */
export function stagedBytes(world: World, row: LedgerSegment): Uint8Array | null {
  const object = world.store.objects(BUCKET).find(({ key }) => key === row.stagedKey);
  return object && object.size === row.size ? object.bytes : null;
}
