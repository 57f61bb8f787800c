/**
 * The queues of the service as the embedded stack makes them. serverless.yml makes the same ones on AWS; a test
 * compares the two.
 */

export interface QueueDefinition {
  readonly name: string;
  readonly visibilityTimeoutSeconds: number;
  /** Where a message goes after so many failed deliveries; dead-letter queues themselves have none. */
  readonly deadLetter?: { readonly queue: string; readonly maxReceiveCount: number };
}

export const SEGMENTS_QUEUE = 'recording-segments';
export const JOBS_QUEUE = 'recording-jobs.fifo';
export const SEGMENTS_DEAD_LETTERS = 'recording-segments-dlq';
export const JOBS_DEAD_LETTERS = 'recording-jobs-dlq.fifo';

/** Dead-letter queues come first: the others refer to them. */
export const QUEUES: readonly QueueDefinition[] = [
  { name: SEGMENTS_DEAD_LETTERS, visibilityTimeoutSeconds: 720 },
  { name: JOBS_DEAD_LETTERS, visibilityTimeoutSeconds: 720 },
  {
    name: SEGMENTS_QUEUE,
    visibilityTimeoutSeconds: 720,
    deadLetter: { queue: SEGMENTS_DEAD_LETTERS, maxReceiveCount: 5 },
  },
  {
    name: JOBS_QUEUE,
    visibilityTimeoutSeconds: 5400,
    deadLetter: { queue: JOBS_DEAD_LETTERS, maxReceiveCount: 5 },
  },
];
