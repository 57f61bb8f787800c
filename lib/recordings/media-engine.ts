/** The media work as the use cases see it: what turns segments into a file. A test may put another in its place. */
import { joinShortWay } from '../ffmpeg/concat.ts';
import { rollPart } from '../ffmpeg/roll.ts';

export interface MediaEngine {
  /** All runs in one call of ffmpeg. */
  readonly joinShortWay: typeof joinShortWay;
  /** Segments in, media bytes in their final form and a sample index out. */
  readonly rollPart: typeof rollPart;
}

export const mediaEngine: MediaEngine = { joinShortWay, rollPart };
