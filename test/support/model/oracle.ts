/**
 * Compares what came of a schedule with what was true of it. Owns the promises of docs/RELIABILITY.md as checks; each
 * one that does not hold is a difference, in words.
 */
import { orderLedger, planLedgerRuns } from '../../../lib/recordings/plan-file.ts';
import type { Recording } from '../../../lib/recordings/recording.ts';
import { RecordingRepository } from '../../../lib/recordings/recording-repository.ts';
import { computeReport } from '../../../lib/recordings/report.ts';
import { type LedgerSegment, SegmentRepository } from '../../../lib/recordings/segment-repository.ts';
import type { Bench } from './bench.ts';
import type { TrueSegment } from './script.ts';
import { joinRuns, readMovie } from './synthetic-media.ts';
import { markOf, readFrames, SEGMENT_90K } from './synthetic-segment.ts';
import { mayShareFile, mustShareFile, type Truth, truthOf, wasHeardLate } from './truth.ts';
import { BUCKET, type World } from './world.ts';

export type Difference = string;
type Phase = 'finished' | 'cleaned';

/** What a recording came to: its row, its ledger, and the segments that its file shows. */
interface Result {
  readonly recording: Recording;
  readonly rows: readonly LedgerSegment[];
  readonly shown: readonly TrueSegment[];
}

/** Of a failed recording: why must be said, nothing of it may be gone; and whether a retry has to complete it. */
export async function judgeFailed(
  world: World,
  bench: Bench,
  recording: Recording,
): Promise<{ differences: Difference[]; retry: boolean }> {
  const rows = await new SegmentRepository(bench.db).list(recording.id);
  const differences: Difference[] = [];
  const say = (text: string) => differences.push(`failed recording ${recording.id}: ${text}`);
  if (!recording.failureCode || !recording.failureMessage) say('no reason');
  if (!recording.completedAt) say('no completed_at');
  for (const row of rows) if (row.stagedKey && !stagedBytes(world, row)) say(`staged ${row.sourceKey} is gone`);
  const usable = rows.some((row) => row.state === 'captured' || row.state === 'late');
  return { differences, retry: usable || recording.failureCode !== 'NO_SEGMENTS' || recording.endedAt !== null };
}

/** Everything that has to hold once nothing moves any more; `cleaned`: after all windows are over, too. */
export async function judge(world: World, bench: Bench, phase: Phase): Promise<Difference[]> {
  const differences: Difference[] = [];
  const say = (text: string) => differences.push(`${phase}: ${text}`);
  const recordings = await new RecordingRepository(bench.db).list({ limit: 100 });
  const truth = truthOf(world);
  const results: Result[] = [];
  for (const recording of recordings) {
    const rows = await new SegmentRepository(bench.db).list(recording.id);
    const about = (text: string) => say(`recording ${recording.id} (${recording.status}): ${text}`);
    const shown = recording.status === 'completed' ? await judgeFile(world, truth, recording, about) : [];
    results.push({ recording, rows, shown });
    if (recording.status === 'completed' && phase === 'finished')
      judgeLedger(world, truth, recording, rows, shown, about);
    if (recording.status === 'failed' && rows.some((row) => row.state === 'captured' || row.state === 'late'))
      about(`${recording.failureCode} ${recording.failureMessage}, though it has segments`);
  }
  await judgeRows(bench, say);
  judgeTogether(world, truth, results, phase, say);
  judgeVersions(world, recordings, say);
  if (phase === 'cleaned') await judgeCleaned(world, recordings, say);
  return differences;
}

/** No recording is on its way any more, and nobody holds one. */
export async function judgeRows(bench: Bench, say: (text: string) => void): Promise<void> {
  const { rows } = await bench.db.query<{ id: string; text: string }>(
    `SELECT id, concat_ws(' ', status, 'lease ' || lease_until, 'upload ' || upload_id, 'attempt ' || next_attempt_at) AS text
       FROM recordings WHERE status IN ('recording', 'processing') OR lease_token IS NOT NULL OR lease_until IS NOT NULL
         OR upload_id IS NOT NULL AND status = 'completed' OR next_attempt_at IS NOT NULL`,
  );
  for (const row of rows) say(`recording ${row.id} is stuck: ${row.text}`);
}

/** The file is there, is what the row says, and shows whole segments in the order in which they were made. */
async function judgeFile(
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
  if (overtakesEncoder(shown)) return shown;
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
  const session = ({ id }: TrueSegment) => id.split('.').slice(0, 2).join('.');
  return shown.some((late) =>
    shown.some(
      (next) =>
        next.place > late.place && session(next) !== session(late) && (next.uploadedMs ?? 0) <= (late.uploadedMs ?? 0),
    ),
  );
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
function judgeLedger(
  world: World,
  truth: Truth,
  recording: Recording,
  rows: readonly LedgerSegment[],
  shown: readonly TrueSegment[],
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
  judgeReport(world, truth, recording, rows, shown, say);
}

function judgeReport(
  world: World,
  truth: Truth,
  recording: Recording,
  rows: readonly LedgerSegment[],
  shown: readonly TrueSegment[],
  say: (text: string) => void,
): void {
  const report = computeReport(recording, rows);
  if (report.segments.captured !== shown.length)
    say(`the report counts ${report.segments.captured} segments, the file shows ${shown.length}`);
  const [first, last] = [shown[0]?.place ?? 0, shown.at(-1)?.place ?? -1];
  const of = new Set(shown.map((segment) => segment.broadcast));
  const all = world.script.broadcasts.flatMap((one) => one.segments).filter((segment) => of.has(segment.broadcast));
  const lost = all.filter((segment) => segment.place > first && segment.place < last && !shown.includes(segment));
  const cut = shown.filter((segment) => segment.bytes && readFrames(segment.bytes).length < 4);
  // Between encoders that number anew nothing tells how many there were.
  const inner = lost.filter((segment) => !truth.blurred.has(segment.broadcast) && continuesAround(segment, shown));
  if (report.complete && (inner.length > 0 || cut.length > 0))
    say(`the report says complete, but lost are ${inner.map((one) => one.id)}, cut are ${cut.map((one) => one.id)}`);
}

/** Segments of the same session are shown on both sides of it. */
function continuesAround(segment: TrueSegment, shown: readonly TrueSegment[]): boolean {
  const session = segment.id.split('.').slice(0, 2).join('.');
  const same = shown.filter((one) => one.id.startsWith(`${session}.`));
  return same.some((one) => one.place < segment.place) && same.some((one) => one.place > segment.place);
}

/** Nothing that could be had is missing or twice, and each broadcast has its own recording. */
function judgeTogether(
  world: World,
  truth: Truth,
  results: readonly Result[],
  phase: Phase,
  say: (text: string) => void,
): void {
  const shownIn = Map.groupBy(
    results.flatMap(({ recording, shown }) => shown.map((segment) => ({ recording, segment }))),
    ({ segment }) => segment.id,
  );
  for (const [id, places] of shownIn) if (places.length > 1) say(`segment ${id} is in ${places.length} files`);
  if (phase === 'finished') {
    for (const id of truth.mustHave) if (!shownIn.has(id)) say(`segment ${id} is lost`);
    for (const { recording, rows } of results) {
      for (const row of rows) {
        if (row.state !== 'captured' && row.state !== 'late') continue;
        const bytes = stagedBytes(world, row);
        const id = bytes && markOf(bytes).id;
        if (id && !shownIn.has(id)) say(`segment ${id} was captured by ${recording.id} and is in no file`);
      }
    }
  }
  for (const { recording, shown } of results) {
    const known = shown.filter((segment) => !truth.strays.has(segment.id));
    const numbers = [...new Set(known.map((segment) => segment.broadcast))].toSorted((a, b) => a - b);
    for (const [at, later] of numbers.entries()) {
      const earlier = numbers[at - 1];
      if (earlier !== undefined && !truth.blurred.has(later) && !mayShareFile(world, earlier, later))
        say(`recording ${recording.id} holds broadcasts ${earlier} and ${later}`);
    }
  }
  for (const [number] of world.script.broadcasts.entries()) {
    const isSplit = results.some(({ shown }) => {
      const has = (wanted: number) => shown.some((segment) => segment.broadcast === wanted);
      return has(number - 1) && !has(number) && truth.mustHave.has(`b${number}.s0.0`);
    });
    if (isSplit && mustShareFile(world, number - 1, number))
      say(`broadcast ${number} came back within the window, and is not in the recording of ${number - 1}`);
    const holders = results.filter(({ shown }) =>
      shown.some((segment) => segment.broadcast === number && !truth.strays.has(segment.id)),
    );
    if (holders.length > 1 && !truth.blurred.has(number) && !wasHeardLate(world, number))
      say(`broadcast ${number} is in ${holders.length} recordings`);
  }
  if (results.length > world.script.broadcasts.length)
    say(`${results.length} recordings of ${world.script.broadcasts.length} broadcasts`);
}

/** A key is written by its recording alone, and no version loses what an earlier one had. */
function judgeVersions(world: World, recordings: readonly Recording[], say: (text: string) => void): void {
  for (const [key, versions] of Map.groupBy(world.files, (file) => file.key)) {
    if (!recordings.some((recording) => recording.objectKey === key)) say(`${key} is written and is nobody's`);
    let before = new Set<string>();
    for (const { bytes } of versions) {
      const ids = new Set(readMovie(bytes).map((frame) => frame.id));
      for (const id of before) if (!ids.has(id)) say(`a later version of ${key} has lost segment ${id}`);
      before = ids;
    }
  }
}

/** Nothing is left of what was on its way. */
export async function judgeCleaned(
  world: World,
  recordings: readonly Recording[],
  say: (text: string) => void,
): Promise<void> {
  for (const upload of await world.store.listUploads(BUCKET)) say(`upload ${upload.uploadId} is an orphan`);
  const kept = new Set(recordings.filter((one) => one.status === 'failed').map((one) => one.id));
  for (const { key } of world.store.objects(BUCKET)) {
    const owner = /^\.staging\/([^/]+)\//.exec(key)?.[1];
    if (owner !== undefined && !kept.has(owner)) say(`${key} is left in staging`);
  }
  if (world.simulation.running.length > 0) say(`still running: ${world.simulation.running.join(', ')}`);
}

function stagedBytes(world: World, row: LedgerSegment): Uint8Array | null {
  const object = world.store.objects(BUCKET).find(({ key }) => key === row.stagedKey);
  return object && object.size === row.size ? object.bytes : null;
}
