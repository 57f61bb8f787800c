/** How large a part is: a pure function of its number, so that 10,000 parts always suffice. */

/** S3 allows part numbers 1 to 10,000 and objects of 5 TiB. */
export const MAX_PARTS = 10_000;
const STEP_PARTS = 1000;
/** S3 refuses to complete an upload with a smaller part before the last. */
const MIN_PART_BYTES = 5 * 1024 ** 2;
const LARGEST_PART_BYTES = 2 * 1024 ** 3;

/**
 * Bytes that have to be pending before part `partNumber` is rolled. It doubles every thousand parts: with the default
 * of 16 MiB, parts 1 to 1000 hold 16 GiB, and all 10,000 more than 5 TiB. A part above 2 GiB would not fit a function.
 */
export function partBytes(partNumber: number, firstPartBytes: number): number {
  const doublings = Math.floor((partNumber - 1) / STEP_PARTS);
  return Math.min(LARGEST_PART_BYTES, firstPartBytes * 2 ** doublings);
}

/** Bytes that a part before the last must have. `PART_SIZE` is never below S3's own limit outside of tests. */
export function smallestPartBytes(partSize: number): number {
  return Math.min(MIN_PART_BYTES, partSize);
}
