/**
 * The comparison of the differential tests: engine, short way and single-pass remux of the same bytes. Owns what is
 * compared, and what an old ffmpeg writes differently from the rule.
 */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { joinShortWay, type ShortWayResult } from '../../../lib/ffmpeg/concat.ts';
import {
  assertFaststart,
  comparePackets,
  ffmpegBinary,
  fullDecode,
  type PacketStream,
  packets,
  referenceRemux,
} from '../../support/media/index.ts';
import { type EngineResult, runEngine } from './engine.ts';

export interface Compared {
  readonly engine: EngineResult;
  readonly short: ShortWayResult;
  /** Of the engine's file. */
  readonly streams: readonly PacketStream[];
  /** One line a difference; empty when all is equal. */
  readonly fromShortWay: readonly string[];
  /** Of one run only: there is no single pass over several. */
  readonly fromReference: readonly string[];
}

/** `runs` as segments; `perPart` how many of them each part takes. */
export async function compareWays(
  runs: readonly (readonly Uint8Array[])[],
  options: { perPart?: readonly number[]; joinRuns?: boolean; maps?: readonly string[]; decode?: boolean } = {},
): Promise<Compared> {
  const dir = await mkdtemp(join(tmpdir(), 'engine-'));
  const files = await Promise.all(runs.map((segments, run) => asFiles(dir, run, segments)));
  const { perPart, joinRuns = false } = options;
  const engineRuns = files.map((segments) => (perPart === undefined ? { segments } : { segments, perPart }));
  const engine = await runEngine(dir, engineRuns, { joinRuns });
  const { path: ffmpegPath } = await ffmpegBinary();
  const short = await joinShortWay({ ffmpegPath, dir: join(dir, 'short'), runs: files, timeoutMs: 60_000 });
  const streams = await packets(engine.path, { hash: true });
  const [only, ...others] = files;
  const maps = options.maps === undefined ? {} : { maps: options.maps };
  const reference = only === undefined || others.length > 0 ? undefined : await referenceRemux(only, maps);
  await assertFaststart(engine.path);
  if (options.decode !== false) await fullDecode(engine.path);
  return {
    engine,
    short,
    streams,
    fromShortWay: comparePackets(streams, await packets(short.path, { hash: true })),
    fromReference: reference === undefined ? [] : comparePackets(streams, await packets(reference, { hash: true })),
  };
}

async function asFiles(dir: string, run: number, segments: readonly Uint8Array[]): Promise<string[]> {
  return await Promise.all(
    segments.map(async (bytes, at) => {
      const path = join(dir, `run${run}-${String(at).padStart(3, '0')}.ts`);
      await writeFile(path, bytes);
      return path;
    }),
  );
}

/** Nothing differs; the message is the differences themselves. */
export function expectEqual(compared: Compared): void {
  expect({ shortWay: compared.fromShortWay, reference: compared.fromReference }).toEqual({
    shortWay: [],
    reference: [],
  });
}
