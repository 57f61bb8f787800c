import { firstAccessUnit, nalCodec, parameterSets, setRules } from '../../../lib/ffmpeg/parameter-sets.ts';

const h264 = nalCodec(27);
const hevc = nalCodec(36);
if (h264 === undefined || hevc === undefined) throw new Error('codecs of stream types 27 and 36');

const delimiter = [0, 0, 0, 1, 9, 0xf0];
const sps = [0x67, 1, 2, 3];
const pps = [0x68, 4, 5];
const slice = [0, 0, 1, 0x65, 0xaa, 0xbb];
const keyFrame = Uint8Array.from([...delimiter, 0, 0, 0, 1, ...sps, 0, 0, 0, 1, ...pps, ...slice]);

describe('parameter sets', () => {
  it('are found at the beginning of a key frame, without the zeros between them', () => {
    expect(parameterSets(keyFrame, h264).map((unit) => [...unit])).toEqual([sps, pps]);
    const units = Uint8Array.from([0, 0, 1, 0x40, 1, 7, 0, 0, 1, 0x42, 1, 8, 0, 0, 0, 1, 0x44, 1, 9, 0, 0, 1, 0x26, 1]);
    expect(parameterSets(units, hevc).map((unit) => [...unit])).toEqual([
      [0x40, 1, 7],
      [0x42, 1, 8],
      [0x44, 1, 9],
    ]);
  });

  it('are none without a sequence set', () => {
    expect(parameterSets(Uint8Array.from([...delimiter, ...slice]), h264)).toEqual([]);
    expect(parameterSets(Uint8Array.from([0, 0, 1, ...pps, ...slice]), h264)).toEqual([]);
    expect(parameterSets(new Uint8Array(), h264)).toEqual([]);
  });

  it('are wrapped with start codes for a stream and with lengths for a sample', () => {
    const units = [Uint8Array.from(sps), Uint8Array.from(pps)];
    const rules = setRules(27);
    expect([...(rules?.putBefore(units, new Uint8Array()) ?? [])]).toEqual([0, 0, 0, 1, ...sps, 0, 0, 0, 1, ...pps]);
    expect([...(rules?.asSample(units) ?? [])]).toEqual([0, 0, 0, 4, ...sps, 0, 0, 0, 3, ...pps]);
  });

  it.each([
    ['picture', [0, 0, 1, 0]],
    ['group of pictures', [0, 0, 1, 0xb8]],
  ])('of MPEG-2 are the sequence header and its extensions as they stand, up to the %s', (_what, next) => {
    const header = [0, 0, 1, 0xb3, 20, 0, 0, 1, 0xb5, 0x14, 0x80, 0, 0];
    const rules = setRules(2);
    const sets = rules?.find(Uint8Array.from([...header, ...next, 7, 7])) ?? [];
    expect(sets.map((set) => [...set])).toEqual([header]);
    expect([...(rules?.putBefore(sets, new Uint8Array()) ?? [])]).toEqual(header);
    expect([...(rules?.asSample(sets) ?? [])]).toEqual(header);
    expect(rules?.find(Uint8Array.from([...next, 7, 7]))).toEqual([]);
  });

  it('are not looked for in codecs without them', () => {
    expect(setRules(3)).toBeUndefined();
  });
});

describe('firstAccessUnit', () => {
  it('is 0 where the payload begins with a start code', () => {
    expect(firstAccessUnit(keyFrame, h264)).toBe(0);
    expect(firstAccessUnit(Uint8Array.from(slice), h264)).toBe(0);
  });

  it('is the delimiter where the payload begins with the end of another picture', () => {
    expect(firstAccessUnit(Uint8Array.from([0xaa, 0xbb, ...keyFrame]), h264)).toBe(2);
  });

  it('is 0 where nothing is recognised, so that nothing is lost', () => {
    expect(firstAccessUnit(Uint8Array.from([0xaa, 0xbb, ...slice]), h264)).toBe(0);
  });
});
