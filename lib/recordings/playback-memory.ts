/**
 * What a process remembers between requests: values that were computed from a state of the database, kept until that
 * state changes. Owns how much is kept; nothing here has to be right, since every use names the state it is of.
 */

const MOST = 64;

interface Entry {
  readonly signature: string;
  readonly value: Promise<unknown>;
}

const memories = new WeakMap<object, Map<string, Entry>>();

/**
 * The value computed for `key` in the state that `signature` names; computes it where it is not known. A computation
 * that fails is not kept.
 * @param owner whose memory it is (one a service, so that tests in one process do not share)
 */
export async function remembered<Value>(
  owner: object,
  key: string,
  signature: string,
  compute: () => Promise<Value>,
): Promise<Value> {
  const memory = memories.get(owner) ?? new Map<string, Entry>();
  memories.set(owner, memory);
  const known = memory.get(key);
  if (known?.signature === signature) {
    memory.delete(key);
    memory.set(key, known);
    // The key names what is computed, and with it the type of its value.
    return known.value as Promise<Value>;
  }
  const entry: Entry = { signature, value: compute() };
  memory.delete(key);
  memory.set(key, entry);
  for (const oldest of memory.keys()) {
    if (memory.size <= MOST) break;
    memory.delete(oldest);
  }
  try {
    return (await entry.value) as Value;
  } catch (error) {
    if (memory.get(key) === entry) memory.delete(key);
    throw error;
  }
}
