import {
  asByteStream,
  asSample,
  firstAccessUnit,
  nalCodec,
  parameterSets,
} from '../../../lib/ffmpeg/parameter-sets.ts';

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
    expect([...asByteStream(units)]).toEqual([0, 0, 0, 1, ...sps, 0, 0, 0, 1, ...pps]);
    expect([...asSample(units)]).toEqual([0, 0, 0, 4, ...sps, 0, 0, 0, 3, ...pps]);
  });

  it('are not looked for in codecs without them', () => {
    expect(nalCodec(2)).toBeUndefined();
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
