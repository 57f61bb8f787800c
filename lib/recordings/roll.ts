/** Rolls parts while a recording is live. */
import type { Lease, WorkResult } from './advance.ts';
import type { RecordingContext } from './context.ts';

export async function rollRecording(_context: RecordingContext, _lease: Lease): Promise<WorkResult> {
  return { kind: 'done' };
}
