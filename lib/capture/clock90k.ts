/**
 * Arithmetic on MPEG timestamps: 90 kHz ticks of 33 bits that wrap every 26.5 hours (ISO/IEC 13818-1, 2.4.3.7).
 * Owns differences across the wrap; knows nothing of streams or segments.
 */

/** 2^33: the number of distinct PTS and DTS values. */
export const WRAP_90K = 2 ** 33;

/** Signed distance from one timestamp to another by the short way round, in (-2^32, 2^32]. Takes raw or unwrapped values. */
export function delta90k(from: number, to: number): number {
  const forward = (((to - from) % WRAP_90K) + WRAP_90K) % WRAP_90K;
  return forward > WRAP_90K / 2 ? forward - WRAP_90K : forward;
}

/** The value congruent to `raw` (modulo 2^33) that lies nearest to `previous`, which may itself be unwrapped already. */
export function unwrap90k(previous: number, raw: number): number {
  return previous + delta90k(previous, raw);
}

/** Ticks in milliseconds, rounded. */
export function ticksToMs(ticks90k: number): number {
  return Math.round(ticks90k / 90);
}
