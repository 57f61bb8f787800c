/**
 * The arithmetic of times that libavformat does on the way from a transport stream to MP4 (libavutil/mathematics.c):
 * rounding between clocks, and the times of audio frames that have no stamp of their own. Whole numbers; exact while the
 * products stay below 2^53, which a slice's clock sees to.
 */

const TICKS = 90_000;

/** `ticks` at 90 kHz in units of 1/timescale, halves away from zero (av_rescale_q, AV_ROUND_NEAR_INF). Not negative. */
export function toTimescale(ticks: number, timescale: number): number {
  return divideNear(ticks * timescale, TICKS);
}

/**
 * When the frame ends that begins at `ticks`, 90 kHz, and holds `samples` at `rate` a second: where a frame is no whole
 * number of ticks, libavformat counts in frames from 0 and keeps the distance to that grid (av_add_stable).
 */
export function afterFrame(ticks: number, samples: number, rate: number): number {
  const product = samples * TICKS;
  if (product % rate === 0) return ticks + product / rate;
  const frames = divideNear(ticks * rate, product);
  return divideNear((frames + 1) * product, rate) + ticks - divideNear(frames * product, rate);
}

function divideNear(dividend: number, divisor: number): number {
  const rest = dividend % divisor;
  return (dividend - rest) / divisor + (2 * rest >= divisor ? 1 : 0);
}
