/**
 * Places that were right by what was there, and wrong by what came later: with an encoder's first segment late, the second
 * may stand behind the next encoder's. Owns noticing that while parts are rolled, and having the file made anew for it
 * when the stream has ended, once for the same segments.
 */
import type { SegmentOrder } from '../capture/order.ts';
import type { Lease } from './advance.ts';
import type { RecordingContext } from './context.ts';
import { orderLedger } from './plan-file.ts';
import type { Recording } from './recording.ts';
import { restartGeneration } from './remake.ts';

/** Notes that the order of what has its place is not the one that was written. */
export async function noteDoubt(
  context: RecordingContext,
  lease: Lease,
  recording: Recording,
  order: Pick<SegmentOrder, 'isMisplaced'>,
): Promise<void> {
  if (!order.isMisplaced || recording.facts.isOrderDoubtful) return;
  await context.leases.mergeFacts(recording.id, lease.token, { isOrderDoubtful: true });
}

/** Settles a doubt by the whole ledger. True if the generation was restarted; all places are taken back then. */
export async function restartIfMisplaced(context: RecordingContext, lease: Lease): Promise<boolean> {
  const { id } = lease.recording;
  const facts = (await context.recordings.find(id))?.facts;
  if (!facts?.isOrderDoubtful) return false;
  const { segments } = await context.places.totals(id);
  // Made anew with the same segments it would be the same.
  const isNew = segments > (facts.reorderedWith ?? 0);
  const isWrong = isNew && orderLedger(await context.places.listForOrder(id)).isMisplaced;
  if (isWrong) await restartGeneration(context, lease, 'later segments show that others belong elsewhere');
  // Dead before this, it looks once more.
  await context.leases.mergeFacts(id, lease.token, {
    isOrderDoubtful: false,
    ...(isWrong ? { reorderedWith: segments } : {}),
  });
  return isWrong;
}
