/** The store of the model test keeps the contract of all stores. */
import { MemoryStore } from '../../support/model/memory-store.ts';
import { describeObjectStore } from '../../support/stores/object-store-contract.ts';

const store = new MemoryStore({ buckets: ['recordings'], now: () => Date.now() });

describe('the store in memory', () =>
  describeObjectStore(() => ({ store, traits: { secondComplete: 'gone', fileAndFolder: true, longNames: true } })));
