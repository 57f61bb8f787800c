import { readConfig } from '../../../lib/platform/config.ts';
import { resolveSecrets, type SecretReaders, SecretUnavailable } from '../../../lib/platform/secrets.ts';

function readersOf(stored: Record<string, string>) {
  const asked: string[][] = [];
  const read = async (names: readonly string[]) => {
    asked.push([...names]);
    return new Map(names.flatMap((name) => (name in stored ? [[name, stored[name] ?? '']] : [])));
  };
  const readers: SecretReaders = { ssm: read, secretsmanager: read };
  return { asked, readers };
}

describe('a reference to a stored secret', () => {
  it('is replaced by the secret before the configuration is read', async () => {
    const { readers } = readersOf({
      '/prod/db': 'hunter2',
      webhook: '{"new":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}',
    });
    const environment = await resolveSecrets(
      { DB_PASSWORD: 'ssm:/prod/db', WEBHOOK_SECRET: 'secretsmanager:webhook#new', DB_NAME: 'x' },
      readers,
    );
    expect(readConfig(environment)).toMatchObject({ DB_PASSWORD: 'hunter2', DB_NAME: 'x' });
    expect(readConfig(environment).WEBHOOK_SECRET).toHaveLength(1);
  });

  it('is read once for all variables of one store, and never where there is none', async () => {
    const { asked, readers } = readersOf({ '/a': '1', '/b': '2' });
    await resolveSecrets({ DB_USER: 'ssm:/a', DB_PASSWORD: 'ssm:/b', MINIO_SECRET_KEY: 'ssm:/b' }, readers);
    expect(asked).toEqual([['/a', '/b']]);
    await resolveSecrets({ DB_USER: 'x' }, readers);
    expect(asked).toHaveLength(1);
  });

  it('in a variable that is not the service’s own is left alone', async () => {
    const { asked, readers } = readersOf({});
    expect(await resolveSecrets({ OTHER: 'ssm:/a' }, readers)).toEqual({ OTHER: 'ssm:/a' });
    expect(asked).toEqual([]);
  });

  it.each([
    ['does not exist', 'ssm:/missing'],
    ['has no such field', 'secretsmanager:json#other'],
    ['is no JSON but has a field', 'secretsmanager:text#field'],
    ['has a field that is no text', 'secretsmanager:json#number'],
  ])('that %s stops the start, naming the variable and no value', async (_what, reference) => {
    const { readers } = readersOf({ json: '{"a":"hunter2","number":1}', text: 'hunter2' });
    const failure = await resolveSecrets({ DB_PASSWORD: reference }, readers).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SecretUnavailable);
    expect((failure as Error).message).toContain('DB_PASSWORD');
    expect((failure as Error).message).not.toContain('hunter2');
  });

  it('that cannot be read names the variables it is for', async () => {
    const broken = async () => {
      throw Object.assign(new Error('not authorized'), { name: 'AccessDeniedException' });
    };
    await expect(resolveSecrets({ DB_PASSWORD: 'ssm:/a' }, { ssm: broken, secretsmanager: broken })).rejects.toThrow(
      'Cannot read the secrets of DB_PASSWORD from ssm: AccessDeniedException: not authorized',
    );
  });
});
