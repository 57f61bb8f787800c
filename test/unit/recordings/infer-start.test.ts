import { inferStart } from '../../../lib/recordings/infer-start.ts';

const end = new Date('2025-10-05T18:10:00Z');
const before = (seconds: number) => end.getTime() - seconds * 1000;

describe('the start of a broadcast that nobody told', () => {
  it('is a segment before its first object', () => {
    expect(inferStart([before(2), before(4), before(60)], end)).toEqual(new Date(before(70)));
  });
  it('does not reach across a silence into an earlier broadcast', () => {
    expect(inferStart([before(2), before(4), before(400)], end)).toEqual(new Date(before(14)));
  });
  it('takes objects that were written shortly after the end', () => {
    expect(inferStart([before(-1), before(1)], end)).toEqual(new Date(before(11)));
  });
  it('is unknown without objects near the end', () => {
    expect(inferStart([], end)).toBeNull();
    expect(inferStart([before(3600), before(-3600)], end)).toBeNull();
  });
});
