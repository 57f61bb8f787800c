/** What was typed after `npm run upload --`, as a value or as one line that says what is wrong with it. Pure. */
import { parseArgs } from 'node:util';
import { parseDuration } from '../lib/platform/config.ts';

export interface UploadArguments {
  readonly from: string;
  /** Undefined: LIVE_BUCKET. */
  readonly to: string | undefined;
  readonly ledgerFile: string | undefined;
  readonly idleMs: number | undefined;
  readonly intervalMs: number | undefined;
  readonly deleteAfterMs: number | null;
  readonly all: boolean;
}

export const UPLOAD_USAGE = `npm run upload -- --from FOLDER     puts the HLS files that a server writes below FOLDER into the bucket
  --to BUCKET          another bucket than LIVE_BUCKET (live-segments)
  --all                also what was written before the first start
  --delete-after 10m   delete an object this long after its file has gone (never, without it)
  --idle 10s           a file without playlist that has not changed for this long is complete
  --interval 500ms     time between two looks at FOLDER
  --state FILE         where to remember what was uploaded (FOLDER/.uploaded.jsonl)
The store is the service's: MINIO_ENDPOINT, MINIO_ACCESS_KEY, MINIO_SECRET_KEY, MINIO_USE_SSL, AWS_REGION.`;

export type ParsedUploadArguments =
  | { readonly kind: 'run'; readonly options: UploadArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly problem: string };

const MIN_DELETE_AFTER_MS = 60_000;
const LIMITS = { idle: [1000, 600_000], interval: [50, 60_000] } as const;

export function parseUploadArguments(words: readonly string[]): ParsedUploadArguments {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(words);
  } catch (error) {
    return wrong((error as Error).message.split('. ')[0] ?? 'The arguments are wrong');
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  if (positionals.length > 0) return wrong('The folder is given with --from');
  if (!values.from) return wrong('--from is missing: the folder that the streaming server writes HLS into');
  const times: Record<string, number | undefined> = {};
  for (const name of ['idle', 'interval'] as const) {
    const [min, max] = LIMITS[name];
    const text = values[name];
    times[name] = text === undefined ? undefined : (parseDuration(text) ?? -1);
    const value = times[name] ?? min;
    if (value < min || value > max) return wrong(`--${name} must be a duration from ${min} ms to ${max / 1000} s`);
  }
  const deleteAfterMs = values['delete-after'] === undefined ? null : (parseDuration(values['delete-after']) ?? -1);
  if (deleteAfterMs !== null && deleteAfterMs < MIN_DELETE_AFTER_MS)
    return wrong('--delete-after must be a duration of at least 1m: the recorder needs time to capture');
  return {
    kind: 'run',
    options: {
      from: values.from,
      to: values.to || undefined,
      ledgerFile: values.state || undefined,
      idleMs: times.idle,
      intervalMs: times.interval,
      deleteAfterMs,
      all: values.all ?? false,
    },
  };
}

function wrong(problem: string): ParsedUploadArguments {
  return { kind: 'wrong', problem: problem.replaceAll(/\p{C}+/gu, ' ').slice(0, 300) };
}

function parse(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      state: { type: 'string' },
      idle: { type: 'string' },
      interval: { type: 'string' },
      'delete-after': { type: 'string' },
      all: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
