import { audioFraming, eachFrame } from '../../../lib/ffmpeg/remux-audio.ts';
import { Declined } from '../../../lib/ffmpeg/remux-payload.ts';
import { afterFrame, toTimescale } from '../../../lib/ffmpeg/remux-times.ts';
import { SAMPLE_SLACK, writeSample } from '../../../lib/ffmpeg/remux-video.ts';

describe('times', () => {
  it('round to the nearest unit, halves up', () => {
    expect(toTimescale(1, 45_000)).toBe(1);
    expect(toTimescale(2089, 44_100)).toBe(1024);
    expect(toTimescale(2090, 44_100)).toBe(1024);
    expect(toTimescale(900_001, 48_000)).toBe(480_001);
  });

  it('follow frames that are a whole number of ticks', () => {
    expect(afterFrame(126_000, 1024, 48_000)).toBe(127_920);
  });

  it('follow frames that are not, on the grid that begins at 0 and never drifts', () => {
    let ticks = 0;
    for (let frame = 1; frame <= 100_000; frame++) {
      ticks = afterFrame(ticks, 1024, 44_100);
      if (ticks !== Math.round((frame * 1024 * 90_000) / 44_100)) throw new Error(`frame ${frame} is at ${ticks}`);
    }
  });

  it('repeat after 1024 s: by that much a slice may be moved', () => {
    const period = 1024 * 90_000;
    for (let ticks = 0; ticks < 20_000; ticks += 7) {
      for (const [samples, rate] of [
        [1024, 44_100],
        [1152, 22_050],
        [2048, 44_100],
      ] as const)
        expect(afterFrame(ticks + period, samples, rate)).toBe(afterFrame(ticks, samples, rate) + period);
    }
  });
});

const H264 = 27;
const HEVC = 36;
const SPS = [0x67, 1, 2, 3];
const PPS = [0x68, 4];
const AUD = [9, 0xf0];
const IDR = [0x65, 0x88, 7, 7];
const P = [0x41, 0x9a, 8, 8, 8];
const P2 = [0x41, 0x1a, 9];
const RECOVERY = [6, 6, 1, 0xc4, 0x80];
const long = [0, 0, 0, 1];
const short = [0, 0, 1];

/** The sample made of units with their start codes, as bytes. */
function sampleOf(bytes: readonly number[], options: { streamType?: number; zeroFollows?: boolean } = {}) {
  const from = SAMPLE_SLACK;
  const memory = Buffer.alloc(SAMPLE_SLACK * 2 + bytes.length);
  memory.set(bytes, from);
  const sets = new Set([SPS, PPS].map((unit) => Buffer.from(unit).toString('base64')));
  const { streamType = H264, zeroFollows = false } = options;
  const { end, sync } = writeSample(memory, { from, to: from + bytes.length, at: 0, streamType, sets, zeroFollows });
  return { sample: [...memory.subarray(0, end)], sync };
}
const withLength = (unit: readonly number[]) => [0, 0, 0, unit.length, ...unit];

describe('an access unit', () => {
  it('becomes a sample whose units have lengths, whatever their start codes', () => {
    const made = sampleOf([...long, ...AUD, ...short, ...SPS, ...long, ...PPS, ...short, ...IDR]);
    expect(made).toEqual({ sample: [AUD, SPS, PPS, IDR].flatMap(withLength), sync: true });
  });

  it('may have several slices of one picture', () => {
    expect(sampleOf([...long, ...P, ...short, ...P2])).toEqual({ sample: [P, P2].flatMap(withLength), sync: false });
  });

  it('is one to begin with where a message says so', () => {
    expect(sampleOf([...long, ...AUD, ...short, ...RECOVERY, ...short, ...P]).sync).toBe(true);
    expect(sampleOf([...long, ...AUD, ...short, 6, 5, 1, 0xc4, 0x80, ...short, ...P]).sync).toBe(false);
  });

  it('of HEVC takes the zero of the start code behind it, as libavformat does', () => {
    const slice = [0x02, 1, 0xd0, 9];
    const options = { streamType: HEVC, zeroFollows: true };
    expect(sampleOf([...long, ...slice], options).sample).toEqual(withLength([...slice, 0]));
    expect(sampleOf([...long, ...slice], { streamType: HEVC }).sample).toEqual(withLength(slice));
  });

  it.each([
    ['no start code ahead', [...P, ...long, ...P]],
    ['zeros behind', [...long, ...P, 0]],
    ['two pictures', [...long, ...P, ...long, ...P]],
    ['the rest of a picture', [...long, ...P2]],
    ['no picture', [...long, ...AUD]],
    ['a delimiter that is not the first', [...long, ...SPS, ...long, ...AUD, ...long, ...IDR]],
    ['messages behind the picture', [...long, ...P, ...short, ...RECOVERY]],
    ['other parameter sets', [...long, 0x67, 9, 9, ...long, ...IDR]],
    ['data partitions', [...long, 0x42, 0x9a, 1]],
    ['an empty unit', [...long, ...AUD, ...short, ...short, ...P]],
    ['nothing', []],
  ])('with %s is left to ffmpeg', (_title, bytes) => {
    expect(() => sampleOf(bytes)).toThrow(Declined);
  });
});

describe('sound', () => {
  const frame = (length: number, second = 0xf1, fourth = 0x80) => {
    const header = [0xff, second, 0x4c, fourth | (length >> 11), (length >> 3) & 255, ((length & 7) << 5) | 31, 0xfc];
    return [...header, ...Array<number>(length - 7).fill(0x22)];
  };
  const framing = audioFraming('AAC');
  const split = (bytes: readonly number[]) => {
    if (framing === undefined) throw new Error('no framing of AAC');
    const buffer = Buffer.from(bytes);
    const found: { from: number; to: number }[] = [];
    const matches = framing.matcherOf(framing.signatureOf(buffer, 0));
    eachFrame(buffer, { from: 0, to: buffer.length }, framing, matches, (from, to) => found.push({ from, to }));
    return found;
  };

  it('is cut into frames without their headers, with a checksum or without', () => {
    expect(split([...frame(20), ...frame(30)])).toEqual([
      { from: 7, to: 20 },
      { from: 27, to: 50 },
    ]);
    expect(split(frame(20, 0xf0))).toEqual([{ from: 9, to: 20 }]);
  });

  it.each([
    ['a frame that is cut off', frame(20).slice(0, 15)],
    ['something behind the frames', [...frame(20), 1, 2, 3]],
    ['another number of channels', [...frame(20), ...frame(20, 0xf1, 0x40)]],
    ['channels that only its data tells', frame(20, 0xf1, 0)],
    ['several blocks in a frame', frame(20).with(6, 0xfd)],
  ])('with %s is left to ffmpeg', (_title, bytes) => {
    expect(() => split(bytes)).toThrow(Declined);
  });

  it('of E-AC-3 and of unknown codecs is left to ffmpeg', () => {
    expect([audioFraming('E-AC-3'), audioFraming('AAC in LATM')]).toEqual([undefined, undefined]);
  });
});
