/** What was typed after `npm run load --`, as a value or as one line that says what is wrong with it. Pure. */
import { parseArgs } from 'node:util';

export interface LoadArguments {
  readonly streams: number;
  readonly seconds: number;
  readonly segmentSeconds: number;
  readonly kbits: number;
  /** How long recordings may take to complete after the last stream has ended. */
  readonly settleSeconds: number;
  /** Prints what the service logs. */
  readonly verbose: boolean;
  /** The process of the back ends leaves a .cpuprofile. */
  readonly profile: boolean;
}

export const LOAD_USAGE = `npm run load                      200 live streams at once for 60 s, through HTTP, S3 and SQS of the embedded stack
  --streams 200            how many at once, 1 to 1000
  --seconds 60             how long each lasts, 4 to 600
  --segment-seconds 2      length of a segment
  --kbits 500              bit rate of a stream
  --settle 120             seconds that the recordings may take after the end
  --verbose                what the service logs, too
  --profile                the process of the back ends leaves a .cpuprofile in the current folder`;

export type ParsedLoadArguments =
  | { readonly kind: 'run'; readonly options: LoadArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly problem: string };

export function parseLoadArguments(words: readonly string[]): ParsedLoadArguments {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(words);
  } catch (error) {
    return { kind: 'wrong', problem: error instanceof Error ? error.message : String(error) };
  }
  if (values.help) return { kind: 'help' };
  const limits = [
    ['streams', 200, 1, 1000],
    ['seconds', 60, 4, 600],
    ['segment-seconds', 2, 1, 10],
    ['kbits', 500, 200, 20_000],
    ['settle', 120, 10, 1800],
  ] as const;
  const numbers = new Map<string, number>();
  for (const [name, fallback, least, most] of limits) {
    const value = Number(values[name] ?? fallback);
    if (!(value >= least && value <= most))
      return { kind: 'wrong', problem: `--${name} is a number from ${least} to ${most}` };
    numbers.set(name, value);
  }
  const number = (name: (typeof limits)[number][0]) => numbers.get(name) ?? 0;
  return {
    kind: 'run',
    options: {
      streams: Math.round(number('streams')),
      seconds: number('seconds'),
      segmentSeconds: number('segment-seconds'),
      kbits: number('kbits'),
      settleSeconds: number('settle'),
      verbose: values.verbose ?? false,
      profile: values.profile ?? false,
    },
  };
}

function parse(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    options: {
      streams: { type: 'string' },
      seconds: { type: 'string' },
      'segment-seconds': { type: 'string' },
      kbits: { type: 'string' },
      settle: { type: 'string' },
      verbose: { type: 'boolean' },
      profile: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
}
