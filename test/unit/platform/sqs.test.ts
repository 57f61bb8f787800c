/** What becomes of the messages of a batch: each by itself, and none of them quoted in the log. */
import type { Context, SQSEvent } from 'aws-lambda';
import { z } from 'zod';
import { createLogger } from '../../../lib/platform/logging.ts';
import { sqsHandler } from '../../../lib/platform/sqs.ts';

const KEY = 'sk_live_9f2c';

async function receive(bodies: readonly string[]) {
  const lines: string[] = [];
  const handled: string[] = [];
  const logger = createLogger('debug', [], { write: (line) => lines.push(line) });
  const handler = sqsHandler({
    service: async () => ({ logger }),
    schema: z.object({ name: z.string() }),
    concurrency: 2,
    handle: async (_service, { name }) => {
      if (name === 'fails') throw new Error('not now');
      handled.push(name);
    },
  });
  // Of a record only what is read.
  const Records = bodies.map((body, index) => ({ messageId: `m${index}`, body, attributes: {} }));
  const answer = await handler({ Records } as unknown as SQSEvent, { getRemainingTimeInMillis: () => 1000 } as Context);
  return { answer, handled, lines };
}

describe('a batch of a queue', () => {
  it('goes back in those messages alone that failed', async () => {
    const { answer, handled } = await receive(['{"name":"a"}', '{"name":"fails"}', '{"name":"b"}']);
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'm1' }] });
    expect(handled).toEqual(['a', 'b']);
  });

  it.each([
    ['no JSON', `{"name":"${KEY}`],
    ['of another shape', `{"Key":"${KEY}/0.ts"}`],
    ['of a wrong type', `["${KEY}"]`],
  ])('drops a message that is %s, which would never succeed, and quotes nothing of it', async (_what, body) => {
    const { answer, handled, lines } = await receive([body, '{"name":"a"}']);
    expect([answer, handled]).toEqual([{ batchItemFailures: [] }, ['a']]);
    expect(lines.map((line) => JSON.parse(line).message)).toEqual([
      'Dropped a queue message that is not of its schema',
    ]);
    expect(lines.join('')).not.toContain(KEY);
  });
});
