/**
 * What the demo streams: the test picture, somebody's file, or a folder of HLS, each as a packager that can be
 * started. The files that were pushed are kept until the check has compared them with the recording.
 */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { PackagerRun, PackagerStore, SourceSegment } from '../test/support/packager.ts';
import { startPackager } from '../test/support/packager.ts';
import { openStreamInput } from '../test/support/packager-file.ts';
import { startLivePackager } from '../test/support/packager-live.ts';
import type { DemoArguments } from './demo-arguments.ts';

export interface DemoStream {
  /** What is streamed, and how, in a line. */
  readonly description: string;
  /** Seconds of media, as far as they are known before. */
  readonly expectedSeconds: number | null;
  start(store: PackagerStore, onPushed: (segments: number, mediaMs: number) => void): PackagerRun;
  /** Files of all segments that were pushed, in order. */
  files(): Promise<string[]>;
  /** True where timestamps jump within the stream, so that no single remux of all bytes is a reference. */
  readonly hasDiscontinuity: boolean;
}

/** A demo shows a packager that cleans up behind itself. */
const WINDOW = { playlist: { kind: 'window', segments: 6 }, deleteBehind: 8 } as const;
/** A given file is pushed in about this time, however long it is. */
const PUSH_SECONDS = 15;

/** @throws {StreamSourceError} where the input cannot be streamed */
export async function prepareStream(options: DemoArguments, ffmpegPath: string, scratch: string): Promise<DemoStream> {
  if (options.input === undefined) return testStream(options.seconds, ffmpegPath, scratch);
  // npm changes into the project's folder: a name is meant from where it was typed.
  const input = await openStreamInput(resolve(process.env.INIT_CWD || '.', options.input), ffmpegPath);
  const speed = options.realtime ? 1 : Math.max(1, (input.durationMs ?? 0) / 1000 / PUSH_SECONDS);
  const pace = speed === 1 ? 'in real time' : `${speed.toFixed(1)} times faster than real time`;
  const expectedSeconds = input.durationMs === null ? null : input.durationMs / 1000;
  if (input.kind === 'folder') {
    const { segments } = input;
    return {
      description: `${segments.length} segments of ${options.input}, pushed ${pace}`,
      expectedSeconds,
      hasDiscontinuity: segments.some((segment) => segment.discontinuity),
      start: (store, onPushed) =>
        startPackager({ store, segments, speed, ...WINDOW, onStep: counted(segments, onPushed) }),
      files: async () => segments.map((segment) => segment.path),
    };
  }
  const { source, tracks } = input;
  return live({ source, speed }, `${options.input} (${tracks}), pushed ${pace}`, expectedSeconds, ffmpegPath, scratch);
}

function testStream(seconds: number, ffmpegPath: string, scratch: string): DemoStream {
  const description = `a test picture with a clock and a beep each second, ${seconds} s in real time, segments of 2 s`;
  return live({ source: { kind: 'test', seconds }, speed: 1 }, description, seconds, ffmpegPath, scratch);
}

function live(
  encode: Pick<Parameters<typeof startLivePackager>[0], 'source'> & { speed: number },
  description: string,
  expectedSeconds: number | null,
  ffmpegPath: string,
  scratch: string,
): DemoStream {
  const folder = join(scratch, 'hls');
  return {
    description,
    expectedSeconds,
    hasDiscontinuity: false,
    start: (store, onPushed) => {
      let mediaMs = 0;
      const onSegment = (segment: SourceSegment, index: number) => {
        mediaMs += segment.durationMs;
        onPushed(index + 1, mediaMs);
      };
      return startLivePackager({ ffmpegPath, folder, store, ...encode, ...WINDOW, onSegment });
    },
    files: async () => {
      const names = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
      return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((name) => join(folder, name));
    },
  };
}

function counted(segments: readonly SourceSegment[], onPushed: (segments: number, mediaMs: number) => void) {
  let mediaMs = 0;
  return (step: { kind: string; index?: number }) => {
    if (step.kind !== 'segment' || step.index === undefined) return;
    mediaMs += segments[step.index]?.durationMs ?? 0;
    onPushed(step.index + 1, mediaMs);
  };
}
