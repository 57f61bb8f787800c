/** A miniature of `npm run load`: nothing is lost and nothing stuck; no times, since others use the machine too. */
import { load } from '../../load/load.ts';
import { type LoadResult, loadTable, quantile } from '../../load/load-results.ts';

const OPTIONS = {
  ...{ streams: 10, seconds: 10, segmentSeconds: 2, kbits: 300 },
  ...{ settleSeconds: 150, verbose: false, profile: false },
};
let result: LoadResult;

beforeAll(async () => {
  result = await load(OPTIONS, () => {});
}, 300_000);

describe('ten live streams at once', () => {
  it('lose no segment, and none of their recordings is stuck or wrong', () => {
    expect(result).toMatchObject({ lost: 0, completed: 10, failed: 0, stuck: 0, wrongFiles: 0 });
    expect(result.uploaded).toBeGreaterThanOrEqual(50);
  });

  it('are measured one by one', () => {
    expect(result.uploadToLedger).toHaveLength(result.uploaded);
    expect(result.endToFile).toHaveLength(10);
    expect(quantile(result.endToFile, 0.5)).toBeGreaterThan(0);
    expect(loadTable(result)).toContain('stream.ended → MP4');
  });
});

describe('a quantile', () => {
  it('is the smallest value that the share does not exceed', () => {
    const values = Array.from({ length: 100 }, (_, at) => 100 - at);
    expect([quantile(values, 0.5), quantile(values, 0.95), quantile(values, 1)]).toEqual([50, 95, 100]);
    expect(quantile([], 0.95)).toBe(0);
  });
});
