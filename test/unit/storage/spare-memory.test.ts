/** Memory that is used again: whose it is, and how much of it there is. */
import { SpareMemory } from '../../../lib/storage/spare-memory.ts';

const KIB = 1024;

describe('spare memory', () => {
  it('is used again once it was given back, and is never two users’ at once', () => {
    const spare = new SpareMemory();
    spare.giveBack(spare.take(), 100 * KIB);
    const first = spare.take();
    const second = spare.take();
    expect(second).not.toBe(first);
    spare.giveBack(first, 100 * KIB);
    expect(spare.take()).toBe(first);
  });

  it('has room for the greatest object so far', () => {
    const spare = new SpareMemory();
    for (const bytes of [10 * KIB, 300 * KIB, 20 * KIB]) spare.giveBack(spare.take(), bytes);
    expect(spare.take().length).toBeGreaterThanOrEqual(300 * KIB);
  });

  it('does not keep what has become too small', () => {
    const spare = new SpareMemory();
    spare.giveBack(spare.take(), 64 * KIB);
    const small = spare.take();
    spare.giveBack(spare.take(), 200 * KIB);
    spare.giveBack(small, 60 * KIB);
    expect(spare.take().length).toBeGreaterThanOrEqual(200 * KIB);
  });

  it('does not grow with an object that is out of the ordinary', () => {
    const spare = new SpareMemory();
    spare.giveBack(spare.take(), 64 * KIB);
    spare.giveBack(spare.take(), 500 * KIB * KIB);
    expect(spare.take().length).toBe(64 * KIB);
  });
});
