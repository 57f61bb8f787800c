/** Numbers that look random and are the same for the same seed (xorshift32 over a mixed seed). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) >>> 0) | 1;
  }

  /** A whole number, both ends inclusive. */
  between(least: number, most: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return least + ((this.#state >>> 0) % (most - least + 1));
  }
}
