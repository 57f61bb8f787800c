/**
 * The head of a recording while its last part is still being made: reads the sample indexes of the parts that there are,
 * a few at a time, so that the tables of a long recording are ready when its tail is, and its indexes are never in memory at
 * once. Owns which parts it has; the tables are lib/mp4's.
 */
import { type Head, HeadBuilder, type HeadOptions } from '../mp4/head.ts';
import type { PartRepository, RecordingPart } from './part-repository.ts';

/** What completing the upload has to know of a part. */
export type StoredPart = Omit<RecordingPart, 'sampleIndex'>;

/** A part's index is some tens of kilobytes, and twice that on its way. */
const PARTS_AT_ONCE = 32;

export class GrowingHead {
  readonly #repository: Pick<PartRepository, 'listAfter'>;
  readonly #recordingId: string;
  readonly #generation: number;
  readonly #builder = new HeadBuilder();
  readonly #parts: StoredPart[] = [];

  /** Of the parts of one generation: those of another are another file's. */
  constructor(repository: Pick<PartRepository, 'listAfter'>, recordingId: string, generation: number) {
    this.#repository = repository;
    this.#recordingId = recordingId;
    this.#generation = generation;
  }

  get parts(): readonly StoredPart[] {
    return this.#parts;
  }

  /** Reads on until there is no part that it does not have. @throws {Corrupt} {DatabaseUnavailable} */
  async catchUp(): Promise<void> {
    for (;;) {
      const last = this.#parts.at(-1)?.partNumber ?? 0;
      const next = await this.#repository.listAfter(this.#recordingId, this.#generation, last, PARTS_AT_ONCE);
      for (const { sampleIndex, ...part } of next) {
        this.#builder.add({ index: sampleIndex, bytes: part.size });
        this.#parts.push(part);
      }
      if (next.length < PARTS_AT_ONCE) return;
    }
  }

  /** Once, at the end. */
  build(options: HeadOptions): Head {
    return this.#builder.build(options);
  }
}
