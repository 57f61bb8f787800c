/** What was typed after `npm run bench --`, as a value or as one line that says what is wrong with it. Pure. */
import { parseArgs } from 'node:util';
import { parseDuration } from '../../lib/platform/config.ts';

export interface BenchArguments {
  readonly lengthsSeconds: readonly number[];
  readonly bitsPerSecond: number;
  readonly partSizeBytes: number;
  readonly window: number;
  /** The short way is measured for streams up to this length. */
  readonly shortWayUpToSeconds: number;
  /** A store that does not survive a power cut. */
  readonly fast: boolean;
  readonly profile: boolean;
  /** Where the run's folder is made; the system's temporary one when undefined. */
  readonly folder: string | undefined;
}

export const BENCH_USAGE = `npm run bench                     1m, 10m, 1h, 6h and 12h at 1 Mbit/s (needs 30 GB of disk, about half an hour)
  --lengths 1m,10m,1h     which lengths
  --mbits 1               bit rate of the stream, 0.3 to 20
  --part-size 16          PART_SIZE in MiB
  --window 12             segments that the packager keeps in its bucket; 0 keeps all
  --short-way 12h         measure the short way for streams up to this length; 0 leaves it out
  --fast                  a store without fsync
  --folder DIR            where to work, in place of the system's temporary folder
  --profile               every process leaves a .cpuprofile in the current folder`;

export type ParsedBenchArguments =
  | { readonly kind: 'run'; readonly options: BenchArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly problem: string };

const MIB = 1024 * 1024;

export function parseBenchArguments(words: readonly string[]): ParsedBenchArguments {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(words);
  } catch (error) {
    return { kind: 'wrong', problem: error instanceof Error ? error.message : String(error) };
  }
  if (values.help) return { kind: 'help' };
  const lengths = (values.lengths ?? '1m,10m,1h,6h,12h').split(',').map((word) => parseDuration(word.trim()));
  const shortWay = parseDuration(values['short-way'] ?? '12h');
  const mbits = Number(values.mbits ?? '1');
  const part = Number(values['part-size'] ?? '16');
  const window = Number(values.window ?? '12');
  const wrong = (problem: string): ParsedBenchArguments => ({ kind: 'wrong', problem });
  if (lengths.some((length) => length === null || length < 10_000 || length > 86_400_000))
    return wrong('--lengths are durations from 10s to 24h, with commas between');
  if (shortWay === null) return wrong('--short-way is a duration');
  if (!(mbits >= 0.3 && mbits <= 20)) return wrong('--mbits is a number from 0.3 to 20');
  if (!(part >= 5 && part <= 1024)) return wrong('--part-size is a number of MiB from 5 to 1024');
  if (!Number.isInteger(window) || window < 0) return wrong('--window is a whole number');
  return {
    kind: 'run',
    options: {
      lengthsSeconds: lengths.map((length) => (length ?? 0) / 1000),
      bitsPerSecond: mbits * 1e6,
      partSizeBytes: Math.round(part * MIB),
      window,
      shortWayUpToSeconds: shortWay / 1000,
      fast: values.fast ?? false,
      profile: values.profile ?? false,
      folder: values.folder,
    },
  };
}

function parse(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    options: {
      lengths: { type: 'string' },
      mbits: { type: 'string' },
      'part-size': { type: 'string' },
      window: { type: 'string' },
      'short-way': { type: 'string' },
      fast: { type: 'boolean' },
      folder: { type: 'string' },
      profile: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
}
