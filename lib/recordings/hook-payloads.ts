/**
 * What streaming servers say in their hooks, in their own words, as one event of ours. Pure; who may call and what is
 * done about it is decided elsewhere. docs/STREAMING-SERVERS.md says where each payload is documented.
 *
 *   | server     | sends | a start               | an end               | session   | refuses the stream unless    |
 *   | ---------- | ----- | --------------------- | -------------------- | --------- | ---------------------------- |
 *   | nginx-rtmp | form  | call=publish          | call=publish_done    | clientid  | 2xx                          |
 *   | SRS        | JSON  | action=on_publish     | action=on_unpublish  | client_id | 200 and the body 0           |
 *   | MediaMTX   | form* | event=ready           | event=not-ready      | source_id | (the hook cannot refuse)     |
 *
 *   * by our script, since MediaMTX runs commands and sends nothing itself
 *
 * A second publisher of a live stream: nginx-rtmp tells its start, refuses it and tells its end; SRS tells its start and
 * refuses it; MediaMTX lets it replace the first, whose end comes before its start (seen with nginx-rtmp 1.2.2, SRS 6.0.157
 * and MediaMTX of August 2026).
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { streamKeySchema } from '../capture/segment-name.ts';
import { printable } from '../platform/printable.ts';
import { rfc3339 } from '../platform/rfc3339.ts';

export const HOOK_SERVERS = ['mediamtx', 'nginx-rtmp', 'srs'] as const;
export type HookServer = (typeof HOOK_SERVERS)[number];

export interface HookEvent {
  readonly event: 'stream.started' | 'stream.ended';
  /** The same for every broadcast of one name on one kind of server: a stream that comes back is known by it. */
  readonly streamId: string;
  readonly streamKey: string;
  /** One connection of a publisher, where the server tells; numbers of connections are used again after a restart. */
  readonly session: string | null;
  /** When it happened, where the server tells. */
  readonly at: Date | null;
  /** Nobody can publish what is being published; the server tells of the attempt before it refuses it. */
  readonly refusesSecond: boolean;
}

const text = z.string().max(1024).check(printable);
const id = z.union([text, z.number()]).transform(String);
const time = rfc3339.transform((value) => new Date(value));

const nginxRtmp = z.object({ call: text, app: text.default(''), name: text.default(''), clientid: text.optional() });
const srs = z.object({
  action: text,
  vhost: text.default('__defaultVhost__'),
  app: text.default(''),
  stream: text.default(''),
  client_id: id.optional(),
});
const mediaMtx = z.object({
  event: text,
  path: text.default(''),
  source_id: text.optional(),
  time: time.optional(),
});

const STARTS = new Set(['publish', 'on_publish', 'ready', 'available', 'online']);
const ENDS = new Set(['publish_done', 'on_unpublish', 'not-ready', 'unavailable', 'offline']);

/**
 * Reads a hook's body. Null for what a recorder has nothing to do about: players, and updates of what is known.
 * @throws {z.ZodError} naming the fields that are wrong
 */
export function readHook(server: HookServer, body: string): HookEvent | null {
  switch (server) {
    case 'nginx-rtmp': {
      const { call, app, name, clientid } = nginxRtmp.parse(formFields(body));
      return eventOf(server, call, [app], name, clientid, null);
    }
    case 'srs': {
      const { action, vhost, app, stream, client_id } = srs.parse(JSON.parse(body));
      return eventOf(server, action, [vhost, app], stream, client_id, null);
    }
    case 'mediamtx': {
      const { event, path, source_id, time: at } = mediaMtx.parse(formFields(body));
      const parts = path.split('/');
      const name = parts.pop() ?? '';
      return eventOf(server, event, parts, name, source_id, at ?? null);
    }
  }
}

/**
 * The first of each name counts: nginx-rtmp appends what the publisher wrote behind its stream's name, and a publisher
 * must not speak for another one.
 */
function formFields(body: string): Record<string, string> {
  const fields = new URLSearchParams(body);
  return Object.fromEntries([...new Set(fields.keys())].map((name) => [name, fields.get(name) ?? '']));
}

function eventOf(
  server: HookServer,
  word: string,
  where: readonly string[],
  name: string,
  session: string | undefined,
  at: Date | null,
): HookEvent | null {
  if (!STARTS.has(word) && !ENDS.has(word)) return null;
  return {
    event: STARTS.has(word) ? 'stream.started' : 'stream.ended',
    streamId: nameUuid([server, ...where, name].join('\n')),
    streamKey: z.object({ stream_key: streamKeySchema }).parse({ stream_key: name }).stream_key,
    session: session || null,
    at,
    refusesSecond: server !== 'mediamtx',
  };
}

/** Of these ids alone; a random UUID, so that no other name space gives the same. */
const NAMESPACE = Buffer.from('0b6fb9a0f6c94a6c9a0e54d1c1f7a5e2', 'hex');

/** A UUID of version 5 (RFC 9562): the same name is the same id, on every host. */
function nameUuid(name: string): string {
  const digest = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16);
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x50, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
