/**
 * What a process remembers between requests: values that were computed from a state of the database or the store, kept
 * until that state changes. Owns how much is kept; nothing here has to be right, since every use names the state it is of.
 */

/** How many values of each kind are kept: an open movie holds its sample tables, up to tens of megabytes. */
const MOST = { report: 16, playlist: 32, movie: 3 } as const;

export type Kind = keyof typeof MOST;

interface Entry {
  readonly signature: string;
  readonly value: Promise<unknown>;
}

const memories = new WeakMap<object, Map<Kind, Map<string, Entry>>>();

/**
 * The value computed for an id in the state that `signature` names; computes it where it is not known, once for callers at
 * the same time. A computation that fails is not kept.
 * @param owner whose memory it is (one a service, so that tests in one process do not share)
 */
export async function remembered<Value>(
  owner: object,
  kind: Kind,
  id: string,
  signature: string,
  compute: () => Promise<Value>,
): Promise<Value> {
  const memory = memoryOf(owner, kind);
  const known = memory.get(id);
  memory.delete(id);
  const entry: Entry = known?.signature === signature ? known : { signature, value: compute() };
  memory.set(id, entry);
  for (const oldest of memory.keys()) {
    if (memory.size <= MOST[kind]) break;
    memory.delete(oldest);
  }
  try {
    // What is remembered of a kind is computed in one place: the type of its value is that of `compute`.
    return (await entry.value) as Value;
  } catch (error) {
    if (memory.get(id) === entry) memory.delete(id);
    throw error;
  }
}

function memoryOf(owner: object, kind: Kind): Map<string, Entry> {
  const all = memories.get(owner) ?? new Map<Kind, Map<string, Entry>>();
  memories.set(owner, all);
  const memory = all.get(kind) ?? new Map<string, Entry>();
  all.set(kind, memory);
  return memory;
}
