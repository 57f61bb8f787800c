/** What the service logs, kept for a test to read: each line as the object that was written. */
import type { Config } from '../../lib/platform/config.ts';
import { createLogger, keyFoldersOf, type Logger } from '../../lib/platform/logging.ts';

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly err?: { readonly code?: string; readonly message: string };
  readonly [field: string]: unknown;
}

export interface KeptLog {
  readonly logger: Logger;
  readonly lines: LogLine[];
  /** Everything that was written, as it was written. */
  text(): string;
  /** The messages of lines that have a stream key in them, but for the specified one that names the finished file. */
  revealing(streamKey: string): string[];
}

export function keepLog(config: Config, level = 'info'): KeptLog {
  const written: string[] = [];
  const lines: LogLine[] = [];
  const write = (line: string) => {
    written.push(line);
    lines.push(JSON.parse(line) as LogLine);
  };
  const revealing = (streamKey: string) =>
    written
      .filter((line) => line.includes(streamKey))
      .map((line) => (JSON.parse(line) as LogLine).message)
      .filter((message) => !message.startsWith('✅ Recording completed: '));
  return {
    logger: createLogger(level, keyFoldersOf(config), { write }),
    lines,
    text: () => written.join(''),
    revealing,
  };
}
