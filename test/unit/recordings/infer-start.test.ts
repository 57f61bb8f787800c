import { inferStart } from '../../../lib/recordings/infer-start.ts';

const end = new Date('2025-10-05T18:10:00Z');
const ago = (seconds: number) => end.getTime() - seconds * 1000;

describe('the start of a broadcast that nobody told', () => {
  it('is a segment before its first object', () => {
    expect(inferStart([ago(2), ago(4), ago(60)], end)).toEqual(new Date(ago(70)));
  });
  it('does not reach across a silence into an earlier broadcast', () => {
    expect(inferStart([ago(2), ago(4), ago(400)], end)).toEqual(new Date(ago(14)));
  });
  it('takes objects that were written shortly after the end', () => {
    expect(inferStart([ago(-1), ago(1)], end)).toEqual(new Date(ago(11)));
  });
  it('is unknown without objects near the end', () => {
    expect(inferStart([], end)).toBeNull();
    expect(inferStart([ago(3600), ago(-3600)], end)).toBeNull();
  });
});
