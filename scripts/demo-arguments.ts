/** What was typed after `npm run demo --`, as a value or as one line that says what is wrong with it. Pure. */
import { parseArgs } from 'node:util';

export interface DemoArguments {
  /** A video file or a folder of HLS; undefined streams the test picture. */
  readonly input: string | undefined;
  /** Length of the test picture. */
  readonly seconds: number;
  /** Push a given file or folder as slowly as it plays, not as fast as a demo wants. */
  readonly realtime: boolean;
  /** Publish the test picture over RTMP to a real nginx, instead of pushing segments. */
  readonly rtmp: boolean;
}

export const DEMO_USAGE = `npm run demo                      records a live test stream of 20 s and checks the result
npm run demo -- FILE_OR_FOLDER    the same with any video file, or a folder of HLS, as the stream
npm run demo -- --rtmp            the test stream over RTMP: ffmpeg, nginx-rtmp, its hooks, the uploader
  --seconds N    length of the test stream (4 to 600)
  --realtime     push FILE_OR_FOLDER in real time`;

export type ParsedArguments =
  | { readonly kind: 'run'; readonly options: DemoArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly problem: string };

export function parseDemoArguments(words: readonly string[]): ParsedArguments {
  const wrong = (problem: string): ParsedArguments => ({ kind: 'wrong', problem: oneLine(problem) });
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(words);
  } catch (error) {
    // `TypeError [CODE]: what is wrong. Advice about parseArgs`, of which only the middle is for the caller.
    return wrong(
      String(error)
        .replace(/^\w+( \[\w+\])?: /, '')
        .replace(/\. .*$/s, ''),
    );
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  const [input] = positionals;
  if (positionals.length > 1) return wrong(`One file or folder at a time, not ${positionals.length}`);
  if (input === '') return wrong('The name of the file or folder is empty');
  if (input?.includes('\0')) return wrong('The name of the file or folder has a zero byte in it');
  const seconds = Number(values.seconds ?? '20');
  if (values.seconds !== undefined && !/^\d+$/.test(values.seconds)) return wrong('--seconds must be a whole number');
  if (seconds < 4 || seconds > 600) return wrong('--seconds must be from 4 to 600');
  if (input !== undefined && values.seconds !== undefined) return wrong('--seconds is the length of the test stream');
  if (input === undefined && values.realtime) return wrong('--realtime needs a file or folder');
  if (input !== undefined && values.rtmp) return wrong('--rtmp publishes the test stream');
  const { realtime = false, rtmp = false } = values;
  return { kind: 'run', options: { input, seconds, realtime, rtmp } };
}

function parse(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      realtime: { type: 'boolean' },
      rtmp: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

/** Whatever was typed stays on one line and cannot steer a terminal. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, 300);
}
