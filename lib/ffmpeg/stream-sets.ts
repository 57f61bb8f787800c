/**
 * Finds the parameter sets a stream carries in a stretch of it. Owns looking into PES packets for them; what they are is
 * parameter-sets.ts.
 */
import { nalCodec, setRules, slicesFirst } from './parameter-sets.ts';
import { PACKET, pesHeader } from './ts-packets.ts';
import type { ElementaryStream } from './ts-program.ts';
import { type PesStart, pesBytes } from './ts-scan.ts';

/** Parameter sets stand at the beginning of an access unit, behind at most a delimiter and messages. */
export const SETS_WITHIN = 4096;

/** Those of the last access unit that has some, base64; none where the codec or the stretch has none. */
export function latestSets(ts: Uint8Array, stream: ElementaryStream, starts: readonly PesStart[]): readonly string[] {
  const rules = setRules(stream.streamType);
  if (rules === undefined) return [];
  const codec = nalCodec(stream.streamType);
  // Sound has its element in the first frame of an encoder, if at all.
  const searched = stream.kind === 'audio' ? starts.slice(0, 1) : starts.toReversed();
  const beginning = (start: PesStart, most: number) => {
    const { bytes } = pesBytes(ts, stream.pid, start.packet, most);
    return bytes.subarray(pesHeader(bytes)?.headerBytes ?? 0);
  };
  for (const start of searched) {
    // Sets stand ahead of the first slice, and mostly that one begins in the first packet.
    if (codec !== undefined && slicesFirst(beginning(start, PACKET - 4), codec)) continue;
    const units = rules.find(beginning(start, SETS_WITHIN));
    if (units.length > 0) return units.map((unit) => Buffer.from(unit).toString('base64'));
  }
  return [];
}
