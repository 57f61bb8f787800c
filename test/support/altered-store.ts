/** A store some of whose operations are a test's own: they count, wait, fail or change what the real ones answer. */
import type { ObjectStore } from '../../lib/storage/object-store.ts';

export function alteredStore(store: ObjectStore, own: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, { get: (target, name: keyof ObjectStore) => own[name] ?? target[name].bind(target) });
}
