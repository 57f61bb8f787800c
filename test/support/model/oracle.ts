/**
 * Compares what came of a schedule with what was true of it. Owns the promises of docs/RELIABILITY.md as checks, those
 * on one recording's file aside (oracle-file.ts); each one that does not hold is a difference, in words.
 */

import type { LedgerSegment } from '../../../lib/recordings/ledger-rows.ts';
import type { Recording } from '../../../lib/recordings/recording.ts';
import { RecordingRepository } from '../../../lib/recordings/recording-repository.ts';
import { computeReport } from '../../../lib/recordings/report.ts';
import { SegmentRepository } from '../../../lib/recordings/segment-repository.ts';
import { findUnclaimed } from '../../../lib/recordings/unclaimed.ts';
import type { Bench } from './bench.ts';
import { hasTwin, judgeFile, judgeLedger, stagedBytes } from './oracle-file.ts';
import type { TrueSegment } from './script.ts';
import { readMovie } from './synthetic-media.ts';
import { markOf } from './synthetic-segment.ts';
import { mayShareFile, mustShareFile, type Truth, truthOf, wasHeardLate } from './truth.ts';
import { BUCKET, type World } from './world.ts';

export type Difference = string;
type Phase = 'finished' | 'cleaned';

/** What a recording came to: its row, its ledger, and the segments that its file shows. */
interface Result {
  readonly recording: Recording;
  readonly rows: readonly LedgerSegment[];
  readonly shown: readonly TrueSegment[];
  readonly complete: boolean;
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
  const segments = new SegmentRepository(bench.db);
  for (const recording of recordings) {
    const rows = await segments.list(recording.id);
    const unclaimed = await findUnclaimed(segments, recording);
    const about = (text: string) => say(`recording ${recording.id} (${recording.status}): ${text}`);
    const shown = recording.status === 'completed' ? await judgeFile(world, truth, recording, about) : [];
    const { complete } = computeReport(recording, rows, unclaimed);
    results.push({ recording, rows, shown, complete: complete && recording.status === 'completed' });
    if (recording.status === 'completed' && phase === 'finished')
      judgeLedger(world, truth, recording, rows, shown, unclaimed, about);
    if (recording.status === 'failed' && rows.some((row) => row.state === 'captured' || row.state === 'late'))
      about(`${recording.failureCode} ${recording.failureMessage}, though it has segments`);
  }
  await judgeRows(bench, say);
  judgeTogether(world, truth, results, phase, say);
  judgeVersions(world, truth, recordings, say);
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
    const isSaid = results.length === 0 || results.some(({ complete }) => !complete);
    const shown = results.flatMap((result) => result.shown);
    for (const id of truth.present)
      if (!shownIn.has(id) && !isSaid && !hasTwin(truth.byId.get(id), shown))
        say(`segment ${id} is nobody's, and no report says so`);
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
      if (earlier !== undefined && !truth.blurred.has(later) && !mayMeet(world, truth, earlier, later))
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

/** In one file, or one of them by way of a third from which nothing tells it. */
function mayMeet(world: World, truth: Truth, earlier: number, later: number): boolean {
  const alike = truth.blurred.has(earlier) ? [...truth.blurred].filter((number) => number < later) : [];
  return [earlier, ...alike].some((number) => mayShareFile(world, number, later));
}

/** A key is written by its recording alone, and no version loses what an earlier one had. */
function judgeVersions(
  world: World,
  truth: Truth,
  recordings: readonly Recording[],
  say: (text: string) => void,
): void {
  for (const [key, versions] of Map.groupBy(world.files, (file) => file.key)) {
    if (!recordings.some((recording) => recording.objectKey === key)) say(`${key} is written and is nobody's`);
    let before = new Set<string>();
    for (const { bytes } of versions) {
      const ids = new Set(readMovie(bytes).map((frame) => frame.id));
      const now = [...ids].flatMap((id) => truth.byId.get(id) ?? []);
      for (const id of before)
        if (!ids.has(id) && !hasTwin(truth.byId.get(id), now)) say(`a later version of ${key} has lost segment ${id}`);
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
