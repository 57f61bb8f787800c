/**
 * Lengths of audio frames from their headers: ADTS (ISO/IEC 13818-7), MPEG audio (11172-3, 13818-3), AC-3 and E-AC-3
 * (ETSI TS 102 366). Owns one question: where, behind a cut between two PES packets, does the next frame begin?
 */

export type FrameLength = (bytes: Uint8Array, at: number) => number;

/** Bytes that must be there to tell a frame's length. */
const HEADER = 7;

/** How frames of a stream are recognised, undefined where this is not known: then PES packets are taken to hold whole ones. */
export function frameLengthOf(streamName: string): FrameLength | undefined {
  if (streamName === 'AAC') return adts;
  if (streamName === 'MPEG audio') return mpegAudio;
  if (streamName === 'AC-3' || streamName === 'E-AC-3') return dolby;
  return undefined;
}

/**
 * How many bytes of `next`, the payload of the PES packet behind a cut, belong to the last frame that began in `before`,
 * the payload ahead of it. 0 where frames are not split, or cannot be followed from one header to the next.
 *
 * Data can look like a header, and its length lead anywhere. So every place in `before` from which headers lead over the
 * cut has a vote, two where a header stands at the end of its way: all true frames agree, the others rarely do.
 */
export function bytesOfSplitFrame(before: Uint8Array, next: Uint8Array, lengthOf: FrameLength): number {
  const joined = new Uint8Array(before.length + next.length);
  joined.set(before);
  joined.set(next, before.length);
  const votes = new Map<number, number>();
  for (let start = 0; start < before.length; start++) {
    const way = follow(joined, start, before.length, lengthOf);
    // The packet behind the cut is stamped, so a frame begins in it: no frame reaches beyond.
    if (way === undefined || way.beyond >= next.length) continue;
    votes.set(way.beyond, (votes.get(way.beyond) ?? 0) + (way.isConfirmed ? 2 : 1));
  }
  const [best] = [...votes.entries()].toSorted((a, b) => b[1] - a[1]);
  return best?.[0] ?? 0;
}

/**
 * From a frame at `start` from header to header across `cut`: how far the frame that reaches the cut goes beyond it, and
 * whether a header stands there. Undefined when a header is wrong: then `start` only looked like one.
 */
function follow(
  bytes: Uint8Array,
  start: number,
  cut: number,
  lengthOf: FrameLength,
): { beyond: number; isConfirmed: boolean } | undefined {
  let at = start;
  while (at < cut) {
    const length = at + HEADER <= bytes.length ? lengthOf(bytes, at) : 0;
    if (length === 0) return undefined;
    at += length;
  }
  const isVisible = at + HEADER <= bytes.length;
  if (isVisible && lengthOf(bytes, at) === 0) return undefined;
  return { beyond: at - cut, isConfirmed: isVisible };
}

function adts(bytes: Uint8Array, at: number): number {
  // Sync word, layer 0, a sampling frequency that exists. Read byte by byte: this is asked of every place of a packet.
  if (bytes[at] !== 0xff || ((bytes[at + 1] ?? 0) & 0xf6) !== 0xf0) return 0;
  if ((((bytes[at + 2] ?? 0) >> 2) & 15) > 12) return 0;
  const length = (((bytes[at + 3] ?? 0) & 3) << 11) | ((bytes[at + 4] ?? 0) << 3) | ((bytes[at + 5] ?? 0) >> 5);
  return length > 7 ? length : 0;
}

const KBPS: Readonly<Record<string, readonly number[]>> = {
  v1l1: [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  v1l2: [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  v1l3: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  v2l1: [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  v2l2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  v2l3: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};

function mpegAudio(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
  const version = (b >> 3) & 3;
  const layer = 4 - ((b >> 1) & 3);
  const rateIndex = (c >> 2) & 3;
  if (a !== 0xff || (b & 0xe0) !== 0xe0 || version === 1 || layer === 4 || rateIndex === 3) return 0;
  const kbps = KBPS[`v${version === 3 ? 1 : 2}l${layer}`]?.[c >> 4] ?? 0;
  const rate = ([44_100, 48_000, 32_000][rateIndex] ?? 0) / (version === 3 ? 1 : version === 2 ? 2 : 4);
  const padding = (c >> 1) & 1;
  if (kbps === 0) return 0;
  if (layer === 1) return (Math.floor((12_000 * kbps) / rate) + padding) * 4;
  return Math.floor(((layer === 3 && version !== 3 ? 72_000 : 144_000) * kbps) / rate) + padding;
}

const AC3_KBPS = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];

function dolby(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes.subarray(at, at + 6);
  if (a !== 0x0b || b !== 0x77) return 0;
  const bsid = f >> 3;
  // E-AC-3 (annex E): bsid 11 to 16, frmsiz in 16-bit words less one.
  if (bsid > 10) return bsid <= 16 ? ((((c & 7) << 8) | d) + 1) * 2 : 0;
  const kbps = AC3_KBPS[(e & 0x3f) >> 1] ?? 0;
  const rateCode = e >> 6;
  if (kbps === 0 || rateCode === 3) return 0;
  if (rateCode === 0) return kbps * 4;
  if (rateCode === 2) return kbps * 6;
  return (Math.floor((kbps * 96_000) / 44_100) + (e & 1)) * 2;
}
