import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

interface Measured {
  readonly samples: number;
  readonly indexBytesPerSample: number;
  readonly cpuMs: number;
  readonly extraMegabytes: number;
}

async function measure(hours: number): Promise<Measured> {
  const script = join(import.meta.dirname, '../../support/media/measure-head.ts');
  // A process of its own: its peak memory is then this work's. The options of the tests' own runner are not for it.
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, `${hours}`], { env });
  return JSON.parse(stdout) as Measured;
}

describe('the head of a long recording', () => {
  it('of 12 hours at 60 fps with AAC takes about a second, 200 MB, and grows with the length only', async () => {
    const [hour, day] = [await measure(1), await measure(12)];
    expect(day.samples).toBe(4_617_000);
    expect(day.indexBytesPerSample).toBeLessThan(7);
    expect(day.extraMegabytes).toBeLessThan(200);
    // CPU time, not time on the wall: other work on the machine does not count. Alone it is about 0.7 s.
    expect(day.cpuMs).toBeLessThan(3000);
    expect(day.cpuMs / hour.cpuMs).toBeLessThan(24);
  });
});
