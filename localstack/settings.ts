/** The variables of `npm start` itself, read once. Those of the service are lib/platform/config.ts. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { ConfigInvalid } from '../lib/platform/config.ts';

const port = (fallback: number) =>
  z
    .string()
    .default(String(fallback))
    .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535, { message: 'must be a port, 0 to 65535' })
    .transform(Number);

const schema = z.object({
  DATA_DIR: z.string().default('.data'),
  HOST: z
    .string()
    .default('127.0.0.1')
    .refine((text) => isIP(text) !== 0 || text === 'localhost', { message: 'must be an IP address or localhost' }),
  PORT: port(8083),
  GATEWAY_PORT: port(8080),
  S3_PORT: port(9000),
  PG_PORT: port(54_329),
  SQS_PORT: port(9324),
});

export type LocalSettings = z.output<typeof schema>;

/** @throws {ConfigInvalid} naming the variable */
export function readLocalSettings(environment: Readonly<Record<string, string | undefined>>): LocalSettings {
  const set = Object.entries(environment).filter(([, value]) => value !== undefined && value !== '');
  const result = schema.safeParse(Object.fromEntries(set));
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new ConfigInvalid(`Configuration is wrong. ${problems.join('; ')}`);
}
