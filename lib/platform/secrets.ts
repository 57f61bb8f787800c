/**
 * Secrets that are stored elsewhere: a variable may hold `ssm:/path/name` (Parameter Store) or
 * `secretsmanager:name` (`secretsmanager:name#field` for one field of a JSON secret) in place of its value. They are
 * read once, at a cold start. What the values mean is config.ts' matter.
 */
import { VARIABLES } from './config.ts';
import { ServiceError } from './errors.ts';

/** A stored secret cannot be read: no permission, no such name, or no answer. */
export class SecretUnavailable extends ServiceError {
  readonly code = 'SECRET_UNAVAILABLE';
  readonly retryable = true;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the named secrets of one kind of store; a name that is not there is left out. */
export type SecretReader = (names: readonly string[], region: string) => Promise<ReadonlyMap<string, string>>;

export interface SecretReaders {
  readonly ssm: SecretReader;
  readonly secretsmanager: SecretReader;
}

const REFERENCE = /^(ssm|secretsmanager):([^#\s]+)(?:#(\S+))?$/;
const TIMEOUTS = { connectionTimeout: 2000, requestTimeout: 5000, throwOnRequestTimeout: true };

/**
 * The environment with references replaced by what they refer to. Only the service's own variables are looked at.
 * @throws {SecretUnavailable} naming the variable, never a value
 */
export async function resolveSecrets(
  environment: Environment,
  readers: SecretReaders = awsReaders,
): Promise<Environment> {
  const references = VARIABLES.flatMap((variable) => {
    const [, store, name, field] = REFERENCE.exec(environment[variable] ?? '') ?? [];
    return store && name ? [{ variable, store: store as keyof SecretReaders, name, field }] : [];
  });
  const resolved: Record<string, string> = {};
  for (const store of ['ssm', 'secretsmanager'] as const) {
    const wanted = references.filter((reference) => reference.store === store);
    if (wanted.length === 0) continue;
    const names = [...new Set(wanted.map((reference) => reference.name))];
    const variables = wanted.map((reference) => reference.variable).join(', ');
    const values = await readers[store](names, environment.AWS_REGION || 'us-east-1').catch((error: unknown) => {
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new SecretUnavailable(`Cannot read the secrets of ${variables} from ${store}: ${why}`, { cause: error });
    });
    for (const { variable, name, field } of wanted) resolved[variable] = pick(values.get(name), field, variable, store);
  }
  return { ...environment, ...resolved };
}

function pick(value: string | undefined, field: string | undefined, variable: string, store: string): string {
  if (value === undefined) throw new SecretUnavailable(`${variable}: ${store} has no secret of this name`);
  if (field === undefined) return value;
  const missing = new SecretUnavailable(`${variable}: the secret has no text field ${field}`);
  try {
    const found = (JSON.parse(value) as Record<string, unknown> | null)?.[field];
    if (typeof found === 'string') return found;
  } catch {
    throw missing;
  }
  throw missing;
}

/** The clients are only loaded where a reference asks for them: a cold start without secrets does not pay. */
const awsReaders: SecretReaders = {
  async ssm(names, region) {
    const { GetParametersCommand, SSMClient } = await import('@aws-sdk/client-ssm');
    const client = new SSMClient({ region, maxAttempts: 3, requestHandler: TIMEOUTS });
    const values = new Map<string, string>();
    try {
      // GetParameters takes ten names.
      for (let start = 0; start < names.length; start += 10) {
        const command = new GetParametersCommand({ Names: names.slice(start, start + 10), WithDecryption: true });
        for (const { Name, Value } of (await client.send(command)).Parameters ?? []) {
          if (Name !== undefined && Value !== undefined) values.set(Name, Value);
        }
      }
    } finally {
      client.destroy();
    }
    return values;
  },
  async secretsmanager(names, region) {
    const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
    const client = new SecretsManagerClient({ region, maxAttempts: 3, requestHandler: TIMEOUTS });
    try {
      const entries = await Promise.all(
        names.map(
          async (name) =>
            [name, (await client.send(new GetSecretValueCommand({ SecretId: name }))).SecretString] as const,
        ),
      );
      return new Map(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
    } finally {
      client.destroy();
    }
  },
};
