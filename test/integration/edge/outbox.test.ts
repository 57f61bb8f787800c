/** Events of recordings: written with the change itself, sent signed and in order, tried again, given up, replayed. */
import { randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { routes as internalRoutes } from '../../../functions/internal.ts';
import { routes as readRoutes } from '../../../functions/recordings.ts';
import { sign } from '../../../lib/platform/signature.ts';
import { eventsAnswer } from '../../../lib/recordings/api-schemas.ts';
import type { RecordingContext } from '../../../lib/recordings/context.ts';
import { deliverOutbox, listEvents } from '../../../lib/recordings/outbox.ts';
import { getRecording } from '../../../lib/recordings/read-recordings.ts';
import { callerOf } from '../../support/lambda.ts';
import { type ManualClock, manualClock, type Receiver, startReceiver } from '../../support/receiver.ts';
import { type Harness, startHarness } from '../../support/service-harness.ts';
import { waitFor } from '../../support/wait.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const HOUR = 3_600_000;

let harness: Harness;
let receiver: Receiver;
let clock: ManualClock;
let context: RecordingContext;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());
beforeEach(async () => {
  await harness.context.db.query('DELETE FROM recordings');
  receiver = await startReceiver();
  clock = manualClock();
  context = serviceWith({});
});
afterEach(() => receiver.close());

/** `other` overrides; the receiver is the only target unless it says otherwise. */
function serviceWith(other: Record<string, string>, overrides: Partial<Pick<RecordingContext, 'clock'>> = {}) {
  const env = { OUTBOUND_WEBHOOK_URLS: receiver.url, OUTBOUND_WEBHOOK_SECRET: SECRET, LOG_LEVEL: 'error', ...other };
  return harness.variant(env, { clock, logger: quiet, ...overrides });
}
const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

const now = () => new Date(clock.now());

async function start(): Promise<string> {
  const id = randomUUID();
  const streamId = randomUUID();
  await context.recordings.insert(
    {
      id,
      streamId,
      streamKey: `key-${id}`,
      userId: null,
      objectKey: `${id}.mp4`,
      startedAt: now(),
      startSource: 'webhook',
    },
    now(),
  );
  return id;
}

const end = (id: string) => context.recordings.end(id, now(), 'webhook', now(), now());
const lease = async (id: string) => {
  const token = randomUUID();
  await context.leases.acquire(id, token, now(), new Date(clock.now() + 1000));
  return token;
};
const complete = async (id: string) => {
  const result = { filePath: `recordings/${id}.mp4`, durationSeconds: 12, fileSizeBytes: 2 ** 40, facts: {} };
  expect(await context.leases.complete(id, await lease(id), result, now())).toBe(true);
};
const fail = async (id: string) =>
  context.leases.fail(id, await lease(id), 'NO_SEGMENTS', 'no segment in /tmp/recordings/key', now());

const typesOf = async (id: string) => (await listEvents(context, id)).map((event) => event.type);
const sent = (id: string) =>
  receiver.received
    .filter((message) => message.json.data.recording.id === id && message.status < 300)
    .map((message) => message.json.data.sequence);

describe('an event', () => {
  it('is left by every change that others may care for, numbered without holes', async () => {
    const id = await start();
    await end(id);
    await context.recordings.resume(id, {}, now());
    await end(id);
    await fail(id);
    await context.recordings.reopen(id, 'failed', now());
    await complete(id);
    await context.recordings.reopen(id, 'late', now());
    await complete(id);
    expect(await typesOf(id)).toEqual([
      'recording.started',
      'recording.failed',
      'recording.reopened',
      'recording.completed',
      'recording.reopened',
      'recording.completed',
    ]);
    expect((await listEvents(context, id)).map((event) => event.sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('has the recording as the API gave it at that moment, and its time from our clock', async () => {
    const id = await start();
    const atStart = await getRecording(context, id);
    clock.advance(12_345);
    await end(id);
    await complete(id);
    const atEnd = await getRecording(context, id);
    const [started, completed] = await listEvents(context, id);
    expect(started).toMatchObject({
      data: { sequence: 1, recording: atStart },
      occurredAt: atStart && new Date('2025-10-05T18:00:00Z'),
    });
    expect(completed).toMatchObject({ data: { sequence: 2, recording: atEnd }, occurredAt: now() });
    expect(Object.keys(completed?.data.recording as object).sort()).toEqual(Object.keys(atEnd).sort());
  });

  it('of a failure has its code and not its message, in which a key could stand', async () => {
    const id = await start();
    await end(id);
    await fail(id);
    const event = (await listEvents(context, id)).at(-1);
    expect(event?.data.failure).toEqual({ code: 'NO_SEGMENTS' });
    expect(JSON.stringify(event)).not.toContain('/tmp');
  });

  it('is not there when its change was rolled back', async () => {
    const id = await start();
    await end(id);
    const rolledBack = context.db.transaction(async (client) => {
      await client.query(`UPDATE recordings SET status = 'failed' WHERE id = $1`, [id]);
      throw new Error('the function died here');
    });
    await expect(rolledBack).rejects.toThrow('died');
    expect(await typesOf(id)).toEqual(['recording.started']);
  });

  it('is numbered without a clash where two processes change one recording at once', async () => {
    const id = await start();
    const update = (status: string) =>
      context.db.query('UPDATE recordings SET status = $2::recording_status WHERE id = $1', [id, status]);
    await Promise.all(Array.from({ length: 10 }, (_, index) => update(index % 2 ? 'completed' : 'failed')));
    const sequences = (await listEvents(context, id)).map((event) => event.sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    expect(sequences.length).toBeGreaterThan(1);
  });

  it('goes with its recording', async () => {
    const id = await start();
    await deliverOutbox(context);
    await context.db.query('DELETE FROM recordings WHERE id = $1', [id]);
    const left = await context.db.query('SELECT 1 FROM recording_events UNION ALL SELECT 1 FROM event_deliveries');
    expect(left.rows).toEqual([]);
  });
});

describe('a delivery', () => {
  it('is a Standard Webhook that the reference library verifies, once', async () => {
    // The library compares with the system's clock.
    context = serviceWith({}, { clock: { now: () => Date.now(), sleep: async () => {} } });
    const id = await start();
    await end(id);
    await complete(id);
    await deliverOutbox(context);
    await deliverOutbox(context);
    expect(receiver.received).toHaveLength(2);
    for (const { text, headers, json } of receiver.received) {
      expect(new Webhook(SECRET).verify(text, headers)).toEqual(json);
      expect(json).toMatchObject({ id: headers['webhook-id'], type: expect.stringMatching(/^recording\./) });
      expect(headers['content-type']).toBe('application/json');
    }
    expect(receiver.received[1]?.json.data.recording).toEqual(await getRecording(context, id));
  });

  it('that fails is tried again with growing pauses and the same id, and holds back what comes after', async () => {
    receiver.answer = () => 503;
    const id = await start();
    await end(id);
    await complete(id);
    const attempts: number[] = [];
    for (let second = 0; second < 320; second += 10) {
      const before = receiver.received.length;
      await deliverOutbox(context);
      if (receiver.received.length > before) attempts.push(second);
      clock.advance(10_000);
    }
    expect(attempts).toEqual([0, 10, 30, 70, 150, 310]);
    expect(new Set(receiver.received.map((message) => message.headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map((message) => message.headers['webhook-timestamp'])).size).toBe(6);
    receiver.answer = () => 200;
    clock.advance(HOUR);
    await deliverOutbox(context);
    expect(sent(id)).toEqual([1, 2]);
  });

  it('that hangs on one recording does not keep other recordings', async () => {
    const [stuck, free] = [await start(), await start()];
    receiver.answer = (message) => (message.data.recording.id === stuck ? 500 : 200);
    await end(free);
    await complete(free);
    await deliverOutbox(context);
    expect([sent(stuck), sent(free)]).toEqual([[], [1, 2]]);
  });

  it('goes to a target whose name tells its host, and nothing of its path, which may be a secret', () => {
    const names = serviceWith({
      OUTBOUND_WEBHOOK_URLS: 'https://hooks.example/services/T0/secret?key=x, https://hooks.example/services/T1/other',
    }).outbound.map(({ name }) => name);
    for (const name of names) expect(name).toMatch(/^https:\/\/hooks\.example#[0-9a-f]{8}$/);
    expect(new Set(names).size).toBe(2);
  });

  it('to one target does not wait for another that is down', async () => {
    const second = await startReceiver();
    receiver.answer = () => 500;
    context = serviceWith({ OUTBOUND_WEBHOOK_URLS: `${receiver.url},${second.url}` });
    const id = await start();
    await deliverOutbox(context);
    expect(second.received.map((message) => message.json.data.recording.id)).toEqual([id]);
    const [event] = await listEvents(context, id);
    expect(event).toMatchObject({ pending: 1, delivered: 1, dead: 0 });
    await second.close();
  });

  it('is given up after 24 h, and the next of the recording then goes out', async () => {
    receiver.answer = (message) => (message.type === 'recording.started' ? 500 : 200);
    const id = await start();
    await end(id);
    await complete(id);
    for (let hours = 0; hours < 24; hours += 0.5) {
      await deliverOutbox(context);
      expect(sent(id)).toEqual([]);
      clock.advance(HOUR / 2);
    }
    await deliverOutbox(context);
    await deliverOutbox(context);
    expect(sent(id)).toEqual([2]);
    expect(await listEvents(context, id)).toMatchObject([
      { dead: 1, delivered: 0 },
      { dead: 0, delivered: 1 },
    ]);
  });

  it('is given up at once where the receiver says that it is gone', async () => {
    receiver.answer = () => 410;
    const id = await start();
    await deliverOutbox(context);
    expect(await listEvents(context, id)).toMatchObject([{ dead: 1, pending: 0 }]);
  });

  it.each([
    ['as long as the receiver asks', 429, () => '120'],
    ['until the time that the receiver names', 503, () => new Date(clock.now() + 120_000).toUTCString()],
  ])('waits %s', async (_, status, retryAfter) => {
    receiver.answer = () => status;
    receiver.headers = { 'retry-after': retryAfter() };
    await start();
    await deliverOutbox(context);
    clock.advance(119_000);
    await deliverOutbox(context);
    expect(receiver.received).toHaveLength(1);
    clock.advance(1000);
    await deliverOutbox(context);
    expect(receiver.received).toHaveLength(2);
  });

  it('is delivered where the receiver says so, however much else it answers', async () => {
    receiver.body = '<p>Thank you</p>'.repeat(10_000);
    const id = await start();
    await deliverOutbox(context);
    expect(await listEvents(context, id)).toMatchObject([{ delivered: 1, pending: 0 }]);
  });

  it('waits for an hour at most, whatever the receiver asks', async () => {
    receiver.answer = () => 429;
    receiver.headers = { 'retry-after': '999999999' };
    await start();
    await deliverOutbox(context);
    clock.advance(3_600_000);
    await deliverOutbox(context);
    expect(receiver.received).toHaveLength(2);
  });

  it('follows no redirect', async () => {
    const other = await startReceiver();
    receiver.answer = () => 307;
    receiver.headers = { location: other.url };
    const id = await start();
    await deliverOutbox(context);
    expect(other.received).toEqual([]);
    expect(await listEvents(context, id)).toMatchObject([{ pending: 1 }]);
    await other.close();
  });

  it('whose process died is taken up again, by whoever comes next', async () => {
    const id = await start();
    const dying = {
      ...context,
      outbound: context.outbound.map((target) => ({ ...target, deliver: () => Promise.reject(new Error('killed')) })),
    };
    await expect(deliverOutbox(dying)).rejects.toThrow('killed');
    await deliverOutbox(context);
    expect(sent(id)).toEqual([]);
    clock.advance(60_000);
    await deliverOutbox(context);
    expect(sent(id)).toEqual([1]);
  });

  it('is made once where two ticks run at the same time, in order', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, start));
    for (const id of ids) {
      await end(id);
      await complete(id);
    }
    await Promise.all([deliverOutbox(context), deliverOutbox(context), deliverOutbox(context)]);
    await deliverOutbox(context);
    for (const id of ids) expect(sent(id)).toEqual([1, 2]);
    expect(receiver.received).toHaveLength(40);
  });

  it('waits for an earlier event that another process is about to plan', async () => {
    const id = await start();
    await end(id);
    await complete(id);
    const { db } = context;
    const waiting = async () => {
      const blocked = await db.query(
        `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'WITH fresh%'`,
      );
      return blocked.rows.length > 0;
    };
    let delivering: Promise<void> | undefined;
    await db.transaction(async (client) => {
      await client.query('SELECT 1 FROM recording_events WHERE recording_id = $1 AND sequence = 1 FOR UPDATE', [id]);
      delivering = deliverOutbox(context);
      await waitFor('the delivery to wait for us', async () => (await waiting()) || receiver.received.length > 0, {
        withinMs: 10_000,
      });
      expect(sent(id)).toEqual([]);
    });
    await delivering;
    expect(sent(id)).toEqual([1, 2]);
  });

  it('is not made for events from before there was a target', async () => {
    const without = serviceWith({ OUTBOUND_WEBHOOK_URLS: '' });
    const id = await start();
    await deliverOutbox(without);
    await deliverOutbox(context);
    expect(receiver.received).toEqual([]);
    expect(await listEvents(context, id)).toMatchObject([{ pending: 0, delivered: 0, dead: 0 }]);
  });

  it('to a target that is configured no longer is given up when its time is over', async () => {
    receiver.answer = () => 500;
    const id = await start();
    await deliverOutbox(context);
    const without = serviceWith({ OUTBOUND_WEBHOOK_URLS: '' });
    await deliverOutbox(without);
    expect(await listEvents(context, id)).toMatchObject([{ pending: 1, dead: 0 }]);
    clock.advance(24 * HOUR);
    await deliverOutbox(without);
    expect(await listEvents(context, id)).toMatchObject([{ pending: 0, dead: 1 }]);
  });

  it('keeps its order for each recording over random failures', async () => {
    let random = 7;
    receiver.answer = () => {
      random = (random * 1103515245 + 12345) % 2 ** 31;
      return random % 3 === 0 ? 200 : 500;
    };
    const ids = await Promise.all(Array.from({ length: 6 }, start));
    for (const id of ids) {
      await end(id);
      await complete(id);
      await context.recordings.reopen(id, 'late', now());
      await complete(id);
    }
    for (let round = 0; round < 200; round += 1) {
      await deliverOutbox(context);
      clock.advance((10 * 60_000) / 10);
    }
    for (const id of ids) expect(sent(id)).toEqual([1, 2, 3, 4]);
  });
});

describe('the routes of events', () => {
  const call = () => callerOf([...readRoutes, ...internalRoutes], context);

  it('list what was told and what became of it, without saying to whom', async () => {
    const id = await start();
    await deliverOutbox(context);
    const answer = await call()('GET', `/recording/${id}/events`);
    expect(answer.status).toBe(200);
    const [told] = eventsAnswer.parse(answer.json).events;
    expect(told).toEqual({ event: receiver.received[0]?.json, deliveries: { pending: 0, delivered: 1, dead: 0 } });
    expect(answer.text).not.toMatch(/127\.0\.0\.1|secret-path/);
    expect((await call()('GET', `/recording/${randomUUID()}/events`)).status).toBe(404);
  });

  it('replay events from a number on, in order, with the ids they had', async () => {
    const id = await start();
    await end(id);
    await complete(id);
    await context.recordings.reopen(id, 'late', now());
    await deliverOutbox(context);
    const first = receiver.received.splice(0).map((message) => message.headers['webhook-id']);
    const answer = await call()('POST', `/recording/${id}/events/replay`, { query: { from_sequence: '2' } });
    expect([answer.status, answer.json]).toEqual([202, { replayed: 2 }]);
    await deliverOutbox(context);
    expect(receiver.received.map((message) => message.headers['webhook-id'])).toEqual(first.slice(1));
    expect(sent(id)).toEqual([2, 3]);
  });

  it('replay what was given up, and what no target was there for', async () => {
    receiver.answer = () => 410;
    const id = await start();
    await deliverOutbox(context);
    receiver.answer = () => 200;
    expect((await call()('POST', `/recording/${id}/events/replay`)).json).toEqual({ replayed: 1 });
    await deliverOutbox(context);
    expect(sent(id)).toEqual([1]);
  });

  it('refuse what is no number, what is unknown, and strangers', async () => {
    const id = await start();
    const replay = `/recording/${id}/events/replay`;
    for (const from of ['0', '-1', 'x', '99999999999']) {
      expect((await call()('POST', replay, { query: { from_sequence: from } })).json.error).toContain('from_sequence');
    }
    expect((await call()('POST', `/recording/${randomUUID()}/events/replay`)).status).toBe(404);
    expect((await call()('POST', replay, { sourceIp: '203.0.113.9' })).status).toBe(403);
    const signedContext = serviceWith({ WEBHOOK_SECRET: SECRET });
    const signedCall = callerOf(internalRoutes, signedContext);
    expect((await signedCall('POST', replay)).status).toBe(401);
    const headers = sign(signedContext.config.WEBHOOK_SECRET ?? [], 'msg_1', clock.now(), '');
    expect((await signedCall('POST', replay, { headers: { ...headers } })).status).toBe(202);
  });
});
