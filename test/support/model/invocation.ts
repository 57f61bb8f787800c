/** One invocation of a function: its host's clock, and whether it is still there. What it does is its own. */
export class Invocation {
  readonly number: number;
  readonly name: string;
  readonly skewMs: number;
  /** When its time limit stops it, on the world's clock. */
  readonly endsAtMs: number;
  /** Rejects when it is killed. */
  readonly death: Promise<never>;
  /** Calls of back ends that have no answer yet. */
  calls = 0;
  ended = false;
  frozenUntilMs = 0;
  #killed = false;
  #die: (error: Error) => void = () => {};
  #database: Promise<unknown> = Promise.resolve();

  constructor(number: number, name: string, skewMs: number, endsAtMs: number) {
    this.number = number;
    this.name = `${name}(${number})`;
    this.skewMs = skewMs;
    this.endsAtMs = endsAtMs;
    this.death = new Promise((_, reject) => {
      this.#die = reject;
    });
    this.death.catch(() => {});
  }

  get killed(): boolean {
    return this.#killed;
  }

  /** It runs, and waits for no call: the world has to wait for it. */
  get isBusy(): boolean {
    return this.calls === 0 && !this.ended && !this.#killed;
  }

  kill(): void {
    this.#killed = true;
    this.#die(new Error(`${this.name} was killed`));
  }

  /** A function has one connection to the database: one statement or transaction after the other. */
  exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#database.then(work);
    this.#database = turn.catch(() => {});
    return turn;
  }
}
