/**
 * Each function's role in serverless.yml against what its code can call: the modules that it reaches through imports, and
 * the operations that stand in them. Nothing may be missing, and nothing may be granted that is never called.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const root = path.join(import.meta.dirname, '../../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** What a call in the code needs of S3, SQS and EventBridge. */
const NEEDS: ReadonlyArray<readonly [RegExp, readonly string[]]> = [
  [/\bstore\s*\.(get|stream)\(/, ['s3:GetObject']],
  // Without the listing, what is not there is a 403 and not a 404.
  [/\bstore\s*\.head\(/, ['s3:GetObject']],
  [/\bstore\s*\.(list|checkBucket)\(/, ['s3:ListBucket']],
  [/\bstore\s*\.listUploads\(/, ['s3:ListBucketMultipartUploads']],
  [/\bstore\s*\.(put|putFile|createUpload|uploadPart|completeUpload)\(/, ['s3:PutObject']],
  // Where a part got no answer, its upload is asked for.
  [/\bstore\s*\.uploadPart\(/, ['s3:ListMultipartUploadParts']],
  // A large file is an upload of several parts, which is given up where one fails.
  [/\bstore\s*\.(abortUpload|putFile)\(/, ['s3:AbortMultipartUpload']],
  [/\bstore\s*\.remove\(/, ['s3:DeleteObject']],
  [/\blinks\s*\.\w+\(/, ['s3:GetObject']],
  [/\bqueues\s*\.request\w+\(/, ['sqs:SendMessage']],
  [/(await|=>) deliverOutbox\(/, ['events:PutEvents']],
];

/** Of the event source, and of the environment (secrets). */
const OF_THE_PLATFORM = /^(sqs:(ReceiveMessage|DeleteMessage|GetQueueAttributes)|ssm:|secretsmanager:)/;

/** In modules that a function shares with others, and never called by it. */
const NOT_CALLED: Readonly<Record<string, readonly string[]>> = {
  // Writing and giving up clips, pictures and generations: it reads what they made.
  playback: ['s3:AbortMultipartUpload', 's3:PutObject', 'sqs:SendMessage'],
  clips: ['sqs:SendMessage'],
  pictures: ['sqs:SendMessage'],
  // It has the routes of all functions, to describe them.
  openapi: [
    's3:AbortMultipartUpload',
    's3:DeleteObject',
    's3:GetObject',
    's3:ListBucket',
    's3:ListMultipartUploadParts',
    's3:PutObject',
    'sqs:SendMessage',
  ],
  // Restarting a generation is the finalizer's; these only ask for it.
  internal: ['s3:AbortMultipartUpload', 's3:GetObject'],
  segments: ['s3:AbortMultipartUpload'],
  deadLetters: ['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
};

const statement = z.looseObject({ Action: z.union([z.string().transform((one) => [one]), z.array(z.string())]) });
const { functions, resources } = z
  .object({
    functions: z.record(z.string(), z.looseObject({ handler: z.string(), role: z.string() })),
    resources: z.object({
      Resources: z.record(z.string(), z.looseObject({ Properties: z.looseObject({}).optional() })),
    }),
  })
  .parse(parse(read('serverless.yml'), { merge: true }));

function grantedTo(role: string): string[] {
  const policies = z
    .array(z.looseObject({ PolicyDocument: z.looseObject({ Statement: z.array(statement) }) }))
    .parse(resources.Resources[role]?.Properties?.Policies);
  const actions = policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement.flatMap(({ Action }) => Action));
  return [...new Set(actions)].filter((action) => !OF_THE_PLATFORM.test(action)).sort();
}

/** The module and all that it imports as code: imports of types are gone when it runs. */
function reachable(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, names, target] of read(file).matchAll(/^import (?!type )([^;]*?)from '(\.[^']*)';/gms)) {
    const onlyTypes =
      /^\{/.test(names ?? '') &&
      (names ?? '')
        .replaceAll(/[{}\s]/g, '')
        .split(',')
        .filter(Boolean)
        .every((name) => name.startsWith('type'));
    if (!onlyTypes) reachable(path.join(path.dirname(file), target ?? ''), seen);
  }
  return seen;
}

function neededBy(name: string, handler: string): string[] {
  const modules = [...reachable(handler.replace(/\.handler$/, '.ts'))].filter((file) =>
    /^(functions|lib\/recordings)\//.test(file),
  );
  const code = modules.map(read).join('\n');
  const called = new Set(NEEDS.flatMap(([call, actions]) => (call.test(code) ? actions : [])));
  return [...called].filter((action) => !NOT_CALLED[name]?.includes(action)).sort();
}

it.each(Object.entries(functions).map(([name, { handler, role }]) => [name, handler, role] as const))(
  'the role of %s grants what its code calls, and nothing else',
  (name, handler, role) => {
    expect(grantedTo(role)).toEqual(neededBy(name, handler));
  },
);
