/**
 * Memory for objects that come one after another, used again: fresh memory for each costs page faults and, since it
 * counts against the heap, collections of garbage. Owns no bytes: whoever takes some has it for himself until he gives it back.
 */

/** Objects beyond this get memory of their own. */
const MAX_BYTES = 4 * 1024 * 1024;
const ROUND_BYTES = 64 * 1024;
const MAX_KEPT = 32;

export class SpareMemory {
  readonly #spare: Uint8Array[] = [];
  #usualBytes = 0;

  /** Memory that the greatest object so far would have fitted into; none at first. */
  take(): Uint8Array {
    for (let memory = this.#spare.pop(); memory; memory = this.#spare.pop()) {
      if (memory.length >= this.#usualBytes) return memory;
    }
    return new Uint8Array(new ArrayBuffer(this.#usualBytes));
  }

  /** @param usedBytes the size of the object that was read. Nobody may refer to it any more. */
  giveBack(memory: Uint8Array, usedBytes: number): void {
    if (usedBytes <= MAX_BYTES)
      this.#usualBytes = Math.max(this.#usualBytes, Math.ceil(usedBytes / ROUND_BYTES) * ROUND_BYTES);
    if (memory.length >= this.#usualBytes && this.#spare.length < MAX_KEPT) this.#spare.push(memory);
  }
}
