/** Differences of 33-bit timestamps. */
import { delta90k, ticksToMs, unwrap90k, WRAP_90K } from '../../../lib/capture/clock90k.ts';

describe('90 kHz timestamps', () => {
  it.each([
    [0, 90, 90],
    [90, 0, -90],
    [WRAP_90K - 10, 20, 30],
    [20, WRAP_90K - 10, -30],
    [5 * WRAP_90K + 7, 17, 10],
    [0, WRAP_90K / 2, WRAP_90K / 2],
  ])('from %i to %i are %i apart, by the short way', (from, to, distance) => {
    expect(delta90k(from, to)).toBe(distance);
  });

  it.each([
    [WRAP_90K - 1, 0, WRAP_90K],
    [3 * WRAP_90K + 5, WRAP_90K - 5, 3 * WRAP_90K - 5],
    [100, 200, 200],
    [0, WRAP_90K - 1, -1],
  ])('after %i, the raw value %i means %i', (previous, raw, unwrapped) => {
    expect(unwrap90k(previous, raw)).toBe(unwrapped);
  });

  it('are ninety to the millisecond', () => {
    expect([ticksToMs(180_180), ticksToMs(-90), ticksToMs(44)]).toEqual([2002, -1, 0]);
  });
});
