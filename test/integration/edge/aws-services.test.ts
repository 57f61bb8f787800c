/** Secrets of AWS and events on a bus, over the real clients' wire against a stand-in of the services. */
import { getContext } from '../../../lib/composition.ts';
import { readConfig, VARIABLES } from '../../../lib/platform/config.ts';
import { resolveSecrets } from '../../../lib/platform/secrets.ts';
import { eventBridgeTarget } from '../../../lib/services/outbound-targets.ts';
import { listen, type RunningServer, readBody, sendJson } from '../../support/http.ts';

const stored: Record<string, string> = {
  '/prod/db-password': 'hunter2',
  '/prod/webhook': 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
};
const events: Array<Record<string, unknown>> = [];
let eventAnswer: unknown;
const asked: string[] = [];
let server: RunningServer;
const before = { ...process.env };

beforeAll(async () => {
  server = await listen(async (request, response) => {
    const target = String(request.headers['x-amz-target']);
    const body = JSON.parse(await readBody(request));
    asked.push(target);
    if (target === 'AmazonSSM.GetParameters') {
      expect(body.WithDecryption).toBe(true);
      expect(body.Names.length).toBeLessThanOrEqual(10);
      const Parameters = body.Names.flatMap((Name: string) => (Name in stored ? [{ Name, Value: stored[Name] }] : []));
      return sendJson(response, 200, { Parameters, InvalidParameters: [] });
    }
    if (target === 'secretsmanager.GetSecretValue') {
      if (body.SecretId === 'recorder') return sendJson(response, 200, { SecretString: '{"s3":"minio-secret"}' });
      return sendJson(response, 400, { __type: 'ResourceNotFoundException', message: 'no such secret' });
    }
    events.push(...body.Entries);
    return sendJson(response, 200, eventAnswer ?? { FailedEntryCount: 0, Entries: [{ EventId: '1' }] });
  });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: server.url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EC2_METADATA_DISABLED: 'true',
  });
});
afterAll(async () => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
  await server.close();
});

describe('stored secrets', () => {
  it('are read from Parameter Store and Secrets Manager', async () => {
    const environment = await resolveSecrets({
      DB_PASSWORD: 'ssm:/prod/db-password',
      WEBHOOK_SECRET: 'ssm:/prod/webhook',
      MINIO_SECRET_KEY: 'secretsmanager:recorder#s3',
    });
    const config = readConfig(environment);
    expect([config.DB_PASSWORD, config.MINIO_SECRET_KEY, config.WEBHOOK_SECRET?.length]).toEqual([
      'hunter2',
      'minio-secret',
      1,
    ]);
    expect(asked).toEqual(['AmazonSSM.GetParameters', 'secretsmanager.GetSecretValue']);
  });

  it('are read ten at a time, which is what Parameter Store takes', async () => {
    const names = VARIABLES.slice(0, 11);
    for (const name of names) stored[`/many/${name}`] = `value of ${name}`;
    const environment = await resolveSecrets(Object.fromEntries(names.map((name) => [name, `ssm:/many/${name}`])));
    expect(environment).toEqual(Object.fromEntries(names.map((name) => [name, `value of ${name}`])));
  });

  it('that are not there stop the start with the name of the variable', async () => {
    await expect(resolveSecrets({ DB_PASSWORD: 'ssm:/prod/nothing' })).rejects.toThrow(
      /^DB_PASSWORD: ssm has no secret/,
    );
    await expect(resolveSecrets({ DB_USER: 'secretsmanager:nothing' })).rejects.toThrow(
      /^Cannot read the secrets of DB_USER from secretsmanager: ResourceNotFoundException/,
    );
  });
});

it('a secret that could not be read is asked for again with the next call', async () => {
  process.env.DB_PASSWORD = 'ssm:/prod/later';
  await expect(getContext()).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE', retryable: true });
  stored['/prod/later'] = 'hunter3';
  const context = await getContext();
  expect(context.config.DB_PASSWORD).toBe('hunter3');
  expect(await getContext()).toBe(context);
  await context.db.end();
});

describe('EventBridge', () => {
  const event = {
    id: 'e1',
    type: 'recording.completed',
    occurredAt: new Date('2025-10-05T18:00:00Z'),
    body: '{"id":"e1"}',
  };

  it('gets the event under its type', async () => {
    expect(await eventBridgeTarget('bus-1', 'us-east-1', 5000).deliver(event, 0)).toEqual({ kind: 'delivered' });
    expect(events).toEqual([
      {
        EventBusName: 'bus-1',
        Source: 'recording-service',
        DetailType: 'recording.completed',
        Detail: '{"id":"e1"}',
        Time: 1759687200,
      },
    ]);
  });

  it('that refuses the entry, or cannot be reached, has failed', async () => {
    eventAnswer = { FailedEntryCount: 1, Entries: [{ ErrorCode: 'ThrottlingException' }] };
    const target = eventBridgeTarget('bus-1', 'us-east-1', 5000);
    expect(await target.deliver(event, 0)).toEqual({
      kind: 'failed',
      why: 'EventBridge: ThrottlingException',
      retryAfterMs: null,
    });
    process.env.AWS_ENDPOINT_URL = 'http://127.0.0.1:1';
    expect(await eventBridgeTarget('bus-1', 'us-east-1', 5000).deliver(event, 0)).toMatchObject({ kind: 'failed' });
    process.env.AWS_ENDPOINT_URL = server.url;
  });
});
