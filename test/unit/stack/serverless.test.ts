import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { VARIABLES } from '../../../lib/platform/config.ts';
import { QUEUES } from '../../../localstack/queues.ts';

const root = path.join(import.meta.dirname, '../../..');
const file = path.join(root, 'serverless.yml');
const getAtt = z.object({ 'Fn::GetAtt': z.tuple([z.string(), z.string()]) }).transform((ref) => ref['Fn::GetAtt'][0]);
const resource = z.looseObject({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) });

const { custom, functions, resources } = z
  .object({
    custom: z.looseObject({ environments: z.object({ aws: z.record(z.string(), z.unknown()) }) }),
    functions: z.record(
      z.string(),
      z.looseObject({
        role: z.string(),
        timeout: z.number().default(10),
        events: z
          .array(z.looseObject({ sqs: z.object({ arn: getAtt, functionResponseType: z.string() }).optional() }))
          .default([]),
      }),
    ),
    resources: z.object({ Resources: z.record(z.string(), resource) }),
  })
  .parse(parse(readFileSync(file, 'utf8'), { merge: true }));

const queue = z.object({
  QueueName: z.string().transform((name) => name.replace(/\$\{[^}]+\}/, '')),
  VisibilityTimeout: z.number().default(30),
  FifoQueue: z.boolean().default(false),
  RedrivePolicy: z.object({ deadLetterTargetArn: getAtt, maxReceiveCount: z.number() }).optional(),
});
const queues = new Map(
  Object.entries(resources.Resources)
    .filter(([, { Type }]) => Type === 'AWS::SQS::Queue')
    .map(([id, { Properties }]) => [id, queue.parse(Properties)] as const),
);

const byName = <Item extends { readonly name: string }>(items: Item[]) =>
  items.sort((a, b) => (a.name < b.name ? -1 : 1));

describe('serverless.yml', () => {
  it('has the queues that the embedded stack has', () => {
    const defined = [...queues.values()].map(({ QueueName: name, VisibilityTimeout, RedrivePolicy }) => ({
      name,
      visibilityTimeoutSeconds: VisibilityTimeout,
      ...(RedrivePolicy && {
        deadLetter: {
          queue: queues.get(RedrivePolicy.deadLetterTargetArn)?.QueueName,
          maxReceiveCount: RedrivePolicy.maxReceiveCount,
        },
      }),
    }));
    expect(byName(defined)).toEqual(byName([...QUEUES]));
    for (const { QueueName, FifoQueue } of queues.values()) expect(FifoQueue).toBe(QueueName.endsWith('.fifo'));
  });

  it('hides a message for six times as long as its function may take, and takes failures of single messages', () => {
    const sources = Object.values(functions).flatMap(({ events, timeout }) =>
      events.flatMap(({ sqs }) => (sqs ? [{ ...sqs, timeout }] : [])),
    );
    expect(sources.map(({ arn }) => arn).sort()).toEqual([
      'JobsDeadLetters',
      'JobsQueue',
      'SegmentsDeadLetters',
      'SegmentsQueue',
    ]);
    for (const { arn, timeout, functionResponseType } of sources) {
      expect(queues.get(arn)?.VisibilityTimeout).toBeGreaterThanOrEqual(6 * timeout);
      expect(functionResponseType).toBe('ReportBatchItemFailures');
    }
  });

  it('looks in the log for what the service writes there', () => {
    const filters = Object.values(resources.Resources).filter(({ Type }) => Type === 'AWS::Logs::MetricFilter');
    const sources = readdirSync(path.join(root, 'lib/recordings')).map((name) =>
      readFileSync(path.join(root, 'lib/recordings', name), 'utf8'),
    );
    expect(filters.length).toBeGreaterThan(0);
    for (const { Properties } of filters) {
      const [, words] = /^"(.+)"$/.exec(String(Properties.FilterPattern)) ?? [];
      expect(sources.some((source) => source.includes(`'${words}',`))).toBe(true);
    }
  });

  it('passes on every variable that the service knows', () => {
    // Lambda sets the region, there is no port to listen on, and SQS is found by its region.
    const elsewhere = new Set(['AWS_REGION', 'PORT', 'SQS_ENDPOINT']);
    const known = VARIABLES.filter((variable) => !elsewhere.has(variable));
    // Beside ours, what Node itself reads.
    expect(Object.keys(custom.environments.aws).sort()).toEqual([...known, 'NODE_OPTIONS'].sort());
  });

  it('gives each function a role that there is, which grants no action on everything', () => {
    const roles = new Map(Object.entries(resources.Resources).filter(([, { Type }]) => Type === 'AWS::IAM::Role'));
    for (const { role } of Object.values(functions)) expect(roles.has(role)).toBe(true);
    const text = JSON.stringify([...roles.values()]);
    expect(text).not.toMatch(/"(Action|Resource)":"\*"|:\*"/);
  });
});
