/**
 * Damaged streams: whatever our own remux does not decline, it makes as ffmpeg makes it. A slice in mid-run is damaged at
 * random and rolled twice, with the descriptions of the slice before it and without.
 */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type RolledPart, type RollState, rollPart } from '../../../lib/ffmpeg/roll.ts';
import { decodeIndex } from '../../../lib/mp4/index-reader.ts';
import { ffmpegBinary, makeHls, type StreamShape } from '../../support/media/index.ts';

const PACKET = 188;
const RUNS = Number(process.env.DAMAGE_RUNS ?? 25);

type Damage =
  | { readonly kind: 'flip'; readonly packet: number; readonly byte: number; readonly bits: number }
  | { readonly kind: 'drop' | 'double'; readonly packet: number; readonly count: number }
  | { readonly kind: 'swap'; readonly packet: number; readonly other: number };

const at = fc.nat({ max: 10_000 });
/** Headers of packets and of PES packets are hit as often as data. */
const byte = fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: PACKET - 1 }));
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), packet: at, byte, bits: fc.integer({ min: 1, max: 255 }) }),
  fc.record({
    kind: fc.constantFrom('drop' as const, 'double' as const),
    packet: at,
    count: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({ kind: fc.constant('swap' as const), packet: at, other: at }),
);

function apply(segment: Uint8Array, damages: readonly Damage[]): Buffer {
  const packets = Array.from({ length: segment.length / PACKET }, (_, i) =>
    Buffer.from(segment.subarray(i * PACKET, (i + 1) * PACKET)),
  );
  for (const one of damages) {
    const index = one.packet % packets.length;
    const packet = packets[index];
    if (packet === undefined) continue;
    // The sync byte stays: aligning has its own tests.
    if (one.kind === 'flip') packet[Math.max(1, one.byte)] = (packet[Math.max(1, one.byte)] ?? 0) ^ one.bits;
    if (one.kind === 'drop') packets.splice(index, Math.min(one.count, packets.length - 1));
    if (one.kind === 'double') packets.splice(index, 0, ...packets.slice(index, index + one.count));
    if (one.kind === 'swap') {
      const other = one.other % packets.length;
      [packets[index], packets[other]] = [packets[other] ?? packet, packet];
    }
  }
  return Buffer.concat(packets);
}

const SHAPES: readonly (readonly [string, Partial<StreamShape>])[] = [
  ['H.264 and AAC', { bframes: 2, fps: '30000/1001' }],
  ['HEVC and AC-3', { video: 'hevc', audio: [{ codec: 'ac3' }] }],
  ['H.264 and MP3', { openGop: true, bframes: 2, audio: [{ codec: 'mp3' }] }],
];

describe('a damaged slice', () => {
  it.each(SHAPES)(
    'of %s is what ffmpeg makes of it, whoever makes it',
    async (_title, shape) => {
      const hls = await makeHls({ seconds: 4, segmentSeconds: 1, ...shape });
      const [first, second, third] = await Promise.all(hls.segments.map((path) => readFile(path)));
      if (!first || !second || !third) throw new Error('not enough segments');
      const begun = await roll(first, second, undefined);
      expect(begun.ways).toEqual([{ by: 'ffmpeg', why: expect.any(String) }]);
      const { descriptions, ...blank } = begun.state;
      expect(Object.keys(descriptions ?? {})).toHaveLength(2);
      let ours = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
          const damaged = apply(second, damages);
          const known = await rollOrFail(damaged, third, begun.state);
          const plain = await rollOrFail(damaged, third, blank);
          if (typeof known !== 'string' && known.ways[0]?.by === 'us') ours += 1;
          expect(samplesOf(known)).toEqual(samplesOf(plain));
        }),
        { numRuns: RUNS },
      );
      // A property that always asked ffmpeg would hold as well.
      expect(ours).toBeGreaterThan(0);
    },
    60_000 + RUNS * 1000,
  );
});

async function roll(own: Uint8Array, following: Uint8Array, state: RollState | undefined): Promise<RolledPart> {
  const { path: ffmpegPath } = await ffmpegBinary();
  const workDir = await mkdtemp(join(tmpdir(), 'damage-'));
  const slice = { startsRun: state === undefined, segments: [{ bytes: own }], following: [{ bytes: following }] };
  return await rollPart({ ffmpegPath, workDir, slices: [slice], state, timeoutMs: 60_000 });
}

/** Damage may leave nothing that can be remuxed: that is an error in both ways. */
async function rollOrFail(...args: Parameters<typeof roll>): Promise<RolledPart | string> {
  try {
    return await roll(...args);
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

/** Every sample with its bytes, and the clock the next slice begins with. */
function samplesOf(part: RolledPart | string): unknown {
  if (typeof part === 'string') return part;
  const { descriptions: _, ...state } = part.state;
  const tracks = decodeIndex(part.index).map(({ chunkOffsets, chunkSamples, entry, ...piece }) => {
    const bytes: string[] = [];
    for (const [chunk, offset] of chunkOffsets.entries()) {
      let from = offset;
      for (let i = 0; i < (chunkSamples[chunk] ?? 0); i++) {
        const size = piece.sizes[bytes.length] ?? 0;
        bytes.push(Buffer.from(part.media.subarray(from, from + size)).toString('base64'));
        from += size;
      }
    }
    return { ...piece, entry: Buffer.from(entry).toString('hex'), bytes };
  });
  return { state, tracks };
}
