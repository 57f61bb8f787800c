/** An object store that counts the bytes that go into it: what a recording costs beyond its own size. */
import { stat } from 'node:fs/promises';
import type { ObjectStore } from '../../lib/storage/object-store.ts';

export interface CountedStore {
  readonly store: ObjectStore;
  writtenBytes(): number;
}

export function countWrites(store: ObjectStore): CountedStore {
  let written = 0;
  const counted: Pick<ObjectStore, 'put' | 'putFile' | 'uploadPart'> = {
    put: (bucket, key, bytes, contentType) => {
      written += bytes.length;
      return store.put(bucket, key, bytes, contentType);
    },
    putFile: async (bucket, key, path, contentType) => {
      written += (await stat(path)).size;
      return store.putFile(bucket, key, path, contentType);
    },
    uploadPart: (bucket, key, uploadId, partNumber, body) => {
      written += body.length;
      return store.uploadPart(bucket, key, uploadId, partNumber, body);
    },
  };
  const proxy = new Proxy(store, {
    get: (target, name) => {
      const own = Reflect.get(counted, name);
      if (own !== undefined) return own;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { store: proxy, writtenBytes: () => written };
}
