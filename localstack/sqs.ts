/**
 * The embedded SQS server: fauxqs, only its SQS, only on loopback, with its messages in SQLite. fauxqs itself listens
 * on every interface and exports no way to say otherwise, so its parts are put together here.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { type BuildAppOptions, buildApp } from 'fauxqs';
import { hasCode, PortTaken } from './errors.ts';
import type { QueueDefinition } from './queues.ts';

export interface SqsOptions {
  /** Directory of the database; without it everything is forgotten at the stop. */
  readonly dataDir?: string;
  /** 0 asks for a free one. */
  readonly port?: number;
  readonly queues: readonly QueueDefinition[];
}

export interface RunningSqs {
  readonly port: number;
  /** `http://127.0.0.1:9324` */
  readonly endpoint: string;
  queueUrl(name: string): string;
  /** Puts a message into a standard queue without the way over HTTP. */
  send(name: string, body: string): void;
  stop(): Promise<void>;
}

type Stores = NonNullable<BuildAppOptions['stores']>;
type SqsStore = Stores['sqsStore'];
type Persistence = NonNullable<SqsStore['persistence']>;

interface Fauxqs {
  readonly SqsStore: (new () => SqsStore) & { createMessage: (body: string) => Parameters<SqsQueue['enqueue']>[0] };
  readonly SnsStore: new () => Stores['snsStore'];
  readonly S3Store: new () => Stores['s3Store'];
  readonly PersistenceManager: new (directory: string) => Persistence;
}
type SqsQueue = ReturnType<SqsStore['createQueue']>;

const REGION = 'us-east-1';
const ACCOUNT = '000000000000';
const HOST = '127.0.0.1';
const arnOf = (name: string) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;

/** @throws {PortTaken} */
export async function startSqs(options: SqsOptions): Promise<RunningSqs> {
  const fauxqs = await loadFauxqs();
  const stores = { sqsStore: new fauxqs.SqsStore(), snsStore: new fauxqs.SnsStore(), s3Store: new fauxqs.S3Store() };
  const persistence = options.dataDir === undefined ? undefined : openPersistence(fauxqs, options.dataDir, stores);
  stores.sqsStore.host = '';
  stores.sqsStore.region = REGION;
  const app = buildApp({ logger: false, stores });
  app.addHook('onRequest', async (request, reply) => {
    const isSqs = request.method === 'POST' && String(request.headers['x-amz-target']).startsWith('AmazonSQS.');
    if (!isSqs) await reply.code(404).send({ error: 'This is an SQS server.' });
  });
  if (persistence) app.addHook('onClose', () => persistence.close());
  try {
    await app.listen({ port: options.port ?? 0, host: HOST });
  } catch (cause) {
    await app.close();
    throw hasCode(cause, 'EADDRINUSE') ? new PortTaken(options.port ?? 0, 'SQS_PORT', { cause }) : cause;
  }
  const address = app.server.address();
  const port = address && typeof address === 'object' ? address.port : 0;
  const endpoint = `http://${HOST}:${port}`;
  const queueUrl = (name: string) => `${endpoint}/${ACCOUNT}/${name}`;
  for (const queue of options.queues) defineQueue(stores.sqsStore, queue, queueUrl(queue.name));
  return {
    port,
    endpoint,
    queueUrl,
    send(name, body) {
      stores.sqsStore.getQueueByName(name)?.enqueue(fauxqs.SqsStore.createMessage(body));
    },
    stop: () => app.close(),
  };
}

/** Makes the queue, or brings one that an earlier run kept up to date: its port and settings may have changed. */
function defineQueue(store: SqsStore, queue: QueueDefinition, url: string): void {
  const fifo = queue.name.endsWith('.fifo');
  const redrive = queue.deadLetter && {
    deadLetterTargetArn: arnOf(queue.deadLetter.queue),
    maxReceiveCount: queue.deadLetter.maxReceiveCount,
  };
  const attributes: Record<string, string> = {
    VisibilityTimeout: String(queue.visibilityTimeoutSeconds),
    MessageRetentionPeriod: String(14 * 24 * 3600),
    RedrivePolicy: redrive ? JSON.stringify(redrive) : '',
  };
  const existing = store.getQueueByArn(arnOf(queue.name));
  if (existing) {
    Object.assign(existing, { url });
    existing.setAttributes(attributes);
    return;
  }
  if (!redrive) delete attributes.RedrivePolicy;
  if (fifo) Object.assign(attributes, { FifoQueue: 'true', ContentBasedDeduplication: 'false' });
  store.createQueue(queue.name, url, arnOf(queue.name), attributes);
}

function openPersistence(fauxqs: Fauxqs, directory: string, stores: Stores): Persistence {
  const persistence = new fauxqs.PersistenceManager(directory);
  // Private in its types, and the only way to what follows.
  const database = Reflect.get(persistence, 'db') as DatabaseSync;
  // Messages outlive the process; a power cut may cost the last ones, which are wake-ups only.
  database.exec('PRAGMA synchronous = NORMAL; PRAGMA locking_mode = EXCLUSIVE');
  const makeReady = 'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL';
  // Whoever was working on a message stopped together with this server: nobody waits for the timeout.
  database.exec(makeReady);
  persistence.loadSqsAndSns(stores.sqsStore, stores.snsStore);
  // Its own version also sets the receive count to NULL, which its schema forbids: visibility 0 answered 500.
  const statement = database.prepare(`${makeReady} WHERE message_id = ?`);
  persistence.updateMessageReady = (messageId) => void statement.run(messageId);
  stores.sqsStore.persistence = persistence;
  for (const queue of stores.sqsStore.allQueues()) queue.persistence = persistence;
  return persistence;
}

/** fauxqs exports only its two ways to start; its stores are in files beside them. */
async function loadFauxqs(): Promise<Fauxqs> {
  const folders = createRequire(import.meta.url).resolve.paths('fauxqs') ?? [];
  const root = folders.map((folder) => path.join(folder, 'fauxqs', 'dist')).find((folder) => existsSync(folder));
  const load = (file: string) => import(pathToFileURL(path.join(root ?? '', file)).href) as Promise<Fauxqs>;
  const [sqs, sns, s3, persistence] = await Promise.all([
    load('sqs/sqsStore.js'),
    load('sns/snsStore.js'),
    load('s3/s3Store.js'),
    load('persistence.js'),
  ]);
  return {
    SqsStore: sqs.SqsStore,
    SnsStore: sns.SnsStore,
    S3Store: s3.S3Store,
    PersistenceManager: persistence.PersistenceManager,
  };
}
