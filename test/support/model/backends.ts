/** The back ends as one invocation has them: every operation is one call of the simulation. */

import { FfmpegFailed } from '../../../lib/ffmpeg/errors.ts';
import type { MediaEngine } from '../../../lib/recordings/media-engine.ts';
import { NeighbourUnavailable } from '../../../lib/services/errors.ts';
import type { StreamService, StreamState } from '../../../lib/services/stream-service.ts';
import { StorageUnavailable } from '../../../lib/storage/errors.ts';
import type { ObjectStore } from '../../../lib/storage/object-store.ts';
import type { Invocation } from './invocation.ts';
import type { Simulation } from './simulation.ts';

/** The store over the network: answers take their time, and the Date header is in whole seconds. */
export function simulateStore(
  store: ObjectStore,
  simulation: Simulation,
  invocation: Invocation,
  storeNow: () => number,
): ObjectStore {
  const call = <Result>(what: string, effect: () => Promise<Result>, timeoutMs?: number) =>
    simulation.call(invocation, {
      target: 'store',
      what,
      effect,
      failure: () => new StorageUnavailable(`${what}: 503 SlowDown`),
      takesMs: [5, 60],
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  const clock = simulation.clockOf(invocation);
  return {
    checkBucket: (bucket) => call(`checkBucket ${bucket}`, () => store.checkBucket(bucket)),
    list: (bucket, prefix, next) => call(`list ${bucket}/${prefix}`, () => store.list(bucket, prefix, next)),
    get: (bucket, key, timeoutMs, memory) =>
      call(
        `get ${bucket}/${key}`,
        async () => {
          const fetched = await store.get(bucket, key, timeoutMs, memory);
          return { ...fetched, clockOffsetMs: Math.floor(storeNow() / 1000) * 1000 - clock.now() };
        },
        timeoutMs,
      ),
    stream: (bucket, key, range) => call(`stream ${bucket}/${key}`, () => store.stream(bucket, key, range)),
    put: (bucket, key, bytes, type) => call(`put ${bucket}/${key}`, () => store.put(bucket, key, bytes, type)),
    putFile: (bucket, key, path, type) =>
      call(`putFile ${bucket}/${key}`, () => store.putFile(bucket, key, path, type)),
    head: (bucket, key) => call(`head ${bucket}/${key}`, () => store.head(bucket, key)),
    remove: (bucket, keys) => call(`remove ${bucket} ${keys.length}`, () => store.remove(bucket, keys)),
    createUpload: (bucket, key, type) => call(`createUpload ${key}`, () => store.createUpload(bucket, key, type)),
    uploadPart: (bucket, key, id, number, body) =>
      call(`uploadPart ${key} ${id} ${number}`, () => store.uploadPart(bucket, key, id, number, body)),
    completeUpload: (bucket, key, id, parts, options) =>
      call(`completeUpload ${key} ${id}`, () => store.completeUpload(bucket, key, id, parts, options)),
    abortUpload: (bucket, key, id) => call(`abortUpload ${key} ${id}`, () => store.abortUpload(bucket, key, id)),
    listUploads: (bucket) => call(`listUploads ${bucket}`, () => store.listUploads(bucket)),
  };
}

/** ffmpeg takes a while, and can be killed or fail. */
export function simulateMedia(media: MediaEngine, simulation: Simulation, invocation: Invocation): MediaEngine {
  const failure = () => new FfmpegFailed({ exitCode: null, signal: 'SIGKILL', stderrTail: '' });
  const takes = (what: string) =>
    simulation.call(invocation, { target: 'media', what, effect: async () => {}, failure, takesMs: [50, 1500] });
  return {
    // What it fetches on the way are calls of their own.
    rollPart: async (options) => {
      await takes('roll');
      return media.rollPart(options);
    },
    joinShortWay: async (options) => {
      await takes('join');
      return media.joinShortWay(options);
    },
  };
}

/** The Stream Service, asked over the network. */
export function simulateStreamService(
  live: () => StreamState[],
  find: (streamId: string) => StreamState | null,
  simulation: Simulation,
  invocation: Invocation,
): StreamService {
  const call = <Result>(what: string, effect: () => Promise<Result>) =>
    simulation.call(invocation, {
      target: 'streams',
      what,
      effect,
      failure: () => new NeighbourUnavailable('Stream Service: it does not answer'),
    });
  return {
    listLive: () => call('listLive', async () => ({ streams: live(), invalid: 0 })),
    find: (streamId) => call(`find ${streamId}`, async () => find(streamId)),
  };
}
