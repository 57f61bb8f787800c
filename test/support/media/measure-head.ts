/**
 * Builds the head of a recording of so many hours (argument) at 60 fps with 48 kHz AAC in parts of 20 s, and prints what
 * it took as JSON. Run as a process of its own by large-head.test.ts; owns the made-up samples.
 */
import { writeFileSync } from 'node:fs';
import { buildHead } from '../../../lib/mp4/head.ts';
import { encodeIndex } from '../../../lib/mp4/sample-index.ts';
import { usageOfThisProcess } from '../../bench/process-usage.ts';
import { type PlainSample, pieceOf } from './pieces.ts';

const SECONDS = 20;
const OFFSETS = [3000, 7500, 3000, 0, 1500];

let seed = 1;
function upTo(limit: number): number {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
  return Math.floor((seed / 2 ** 31) * limit);
}

function picture(at: number): PlainSample {
  const sync = at % 120 === 0;
  return { duration: 1500, size: sync ? 80_000 + upTo(20_000) : 8000 + upTo(9000), offset: OFFSETS[at % 5] ?? 0, sync };
}

const count = (Number(process.argv[2]) * 3600) / SECONDS;
const frames = (part: number) => Math.round(46.875 * part * SECONDS);
let samples = 0;
let indexBytes = 0;
const parts = Array.from({ length: count }, (_, part) => {
  const pictures = Array.from({ length: 60 * SECONDS }, (_unused, at) => picture(at));
  const sound = Array.from({ length: frames(part + 1) - frames(part) }, () => ({
    duration: 1024,
    size: 250 + upTo(200),
  }));
  const pictureBytes = pictures.reduce((sum, sample) => sum + sample.size, 0);
  const video = pieceOf(pictures, { dts: part * SECONDS * 90_000 - 3000, perChunk: 120 });
  const audio = pieceOf(sound, { kind: 'audio', dts: frames(part) * 1024, perChunk: 94, start: pictureBytes });
  const index = encodeIndex([video, audio]);
  samples += pictures.length + sound.length;
  indexBytes += index.length;
  return { index, bytes: pictureBytes + sound.reduce((sum, sample) => sum + sample.size, 0) };
});
globalThis.gc?.();
forgetPeak();
const before = process.memoryUsage().rss;
const cpu = process.cpuUsage();
buildHead({ parts });
const { user, system } = process.cpuUsage(cpu);
const { peakBytes: peak } = usageOfThisProcess();
const extraMegabytes = Math.max(0, peak - before) / 2 ** 20;
process.stdout.write(
  JSON.stringify({ samples, indexBytesPerSample: indexBytes / samples, cpuMs: (user + system) / 1000, extraMegabytes }),
);

/** The garbage of making the samples up can be more than all of what is measured. Linux alone can forget it (proc(5), clear_refs). */
function forgetPeak(): void {
  if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5');
}
