/** What was typed after `npm run chaos --`, as a value or as one line that says what is wrong with it. Pure. */
import { parseArgs } from 'node:util';

export interface ChaosArguments {
  readonly schedules: number;
  /** Undefined: another one each time. */
  readonly seed: number | undefined;
  readonly path: string | undefined;
}

export const CHAOS_USAGE = `npm run chaos                          1000 random schedules of streams, lost messages, deaths and outages
  npm run chaos -- 10000               so many
  --seed 42                            the same schedules as the run that printed this seed
  --seed 42 --path 17:0:2              that one schedule alone, step by step`;

export type ParsedChaosArguments =
  | { readonly kind: 'run'; readonly options: ChaosArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly problem: string };

export function parseChaosArguments(words: readonly string[]): ParsedChaosArguments {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(words);
  } catch (error) {
    return { kind: 'wrong', problem: error instanceof Error ? error.message : String(error) };
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  const [count = '1000', ...others] = positionals;
  const schedules = Number(count);
  if (others.length > 0 || !Number.isInteger(schedules) || schedules < 1 || schedules > 1_000_000)
    return { kind: 'wrong', problem: 'the number of schedules is from 1 to 1000000' };
  const seed = values.seed === undefined ? undefined : Number(values.seed);
  if (seed !== undefined && !Number.isInteger(seed)) return { kind: 'wrong', problem: '--seed is a whole number' };
  const { path } = values;
  if (path !== undefined && (seed === undefined || !/^\d+(:\d+)*$/.test(path)))
    return { kind: 'wrong', problem: '--path is what a run printed beside its --seed' };
  return { kind: 'run', options: { schedules, seed, path } };
}

function parse(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      path: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
