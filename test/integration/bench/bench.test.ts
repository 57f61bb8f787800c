/** A miniature of `npm run bench`: its shape and generous ratios, no times, since others use the machine too. */

import { runBench } from '../../bench/bench.ts';
import { plotBench } from '../../bench/bench-plot.ts';
import { type BenchResult, cpuRatio, judge, writeAmplification } from '../../bench/bench-results.ts';
import { benchTable } from '../../bench/bench-table.ts';

const MIB = 1024 * 1024;
let bench: BenchResult;

beforeAll(async () => {
  const options = {
    ...{ lengthsSeconds: [20, 90], bitsPerSecond: 3e6, partSizeBytes: 8 * MIB, window: 12, shortWayUpToSeconds: 90 },
    ...{ fast: true, profile: false, folder: undefined },
  };
  bench = await runBench(options, () => {});
}, 480_000);

describe('the benchmark', () => {
  it('takes the engine for what is longer than a part, and has all of the stream in the file', () => {
    const [short, long] = bench.lengths;
    expect(long).toMatchObject({ engine: 'parts', segments: 45 });
    expect(long?.parts).toBeGreaterThanOrEqual(3);
    expect(short?.segments).toBe(10);
    for (const { fileBytes, streamBytes } of bench.lengths) {
      expect(fileBytes / streamBytes).toBeGreaterThan(0.85);
      expect(fileBytes / streamBytes).toBeLessThan(1);
    }
  });

  it('finishes without writing the parts again', () => {
    const long = bench.lengths[1];
    // The tail and the first part with the head: the rest lies in the upload already.
    expect(long?.finish.writtenBytes).toBeLessThan(0.75 * (long?.fileBytes ?? 0));
    // The short way writes all of it, with a head of its own.
    expect((long?.shortWay?.writtenBytes ?? 0) / (long?.fileBytes ?? 1)).toBeCloseTo(1, 1);
  });

  it('stays within scratch space and memory, and counts what it costs', () => {
    for (const result of bench.lengths) {
      expect(result.live.peakScratchBytes).toBeLessThanOrEqual(4 * bench.partSizeBytes);
      expect(result.live.peakTreeBytes).toBeLessThan(600 * MIB);
      expect(result.finish.peakTreeBytes).toBeLessThan(600 * MIB);
      expect(writeAmplification(result)).toBeGreaterThan(1.9);
      // Staging, the file, and for the shortest one a held-back part that is most of it.
      expect(writeAmplification(result)).toBeLessThan(3.5);
      if (process.platform === 'linux') expect(cpuRatio(result)).toBeGreaterThan(1);
    }
  });

  it('is told as tables, verdicts and a plot', () => {
    expect(benchTable(bench)).toContain('From stream.ended to a readable MP4');
    expect(judge(bench).length).toBeGreaterThanOrEqual(3);
    expect(plotBench(bench)).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  });
});
