import { bytesOfSplitFrame, frameLengthOf } from '../../../lib/ffmpeg/audio-frames.ts';

function frame(header: readonly number[], length: number): Buffer {
  const bytes = Buffer.alloc(length, 0x11);
  bytes.set(header);
  return bytes;
}

const adts = (length: number) =>
  frame([0xff, 0xf1, 0x4c, 0x80 | (length >> 11), (length >> 3) & 0xff, ((length & 7) << 5) | 0x1f, 0xfc], length);
// 128 kbit/s at 44.1 kHz, without padding: 417 bytes. 192 kbit/s at 48 kHz: 768. frmsiz 383: 768.
const mp3 = () => frame([0xff, 0xfb, 0x90, 0], 417);
const ac3 = () => frame([0x0b, 0x77, 0, 0, 0x14, 0x40, 0x43], 768);
const eac3 = () => frame([0x0b, 0x77, 0x01, 0x7f, 0x34, 0x80, 0], 768);

describe('frames of audio', () => {
  it.each([
    ['AAC', adts(333), 333],
    ['MPEG audio', mp3(), 417],
    ['AC-3', ac3(), 768],
    ['E-AC-3', eac3(), 768],
  ])('of %s have the length their header says', (name, bytes, length) => {
    expect(frameLengthOf(name)?.(bytes, 0)).toBe(length);
  });

  it.each(['AAC', 'MPEG audio', 'AC-3'])('of %s are not seen in other bytes', (name) => {
    const lengthOf = frameLengthOf(name);
    expect(lengthOf?.(Buffer.alloc(16), 0)).toBe(0);
    expect(lengthOf?.(Buffer.alloc(16, 0xff), 0)).toBe(0);
  });

  it('of other codecs are unknown', () => {
    expect(frameLengthOf('DTS')).toBeUndefined();
  });
});

describe('bytesOfSplitFrame', () => {
  const lengthOf = frameLengthOf('AAC') ?? (() => 0);
  const stream = Buffer.concat([adts(300), adts(250), adts(410), adts(275), adts(300)]);

  it.each([
    [550, 0],
    [551, 409],
    [700, 260],
    [959, 1],
    [960, 0],
    [1000, 235],
  ])('cut at byte %d, finds %d bytes behind the cut', (cut, bytes) => {
    expect(bytesOfSplitFrame(stream.subarray(0, cut), stream.subarray(cut), lengthOf)).toBe(bytes);
  });

  it('finds the first whole frame where the packet ahead begins in the middle of one', () => {
    expect(bytesOfSplitFrame(stream.subarray(120, 700), stream.subarray(700), lengthOf)).toBe(260);
  });

  it('is not misled by data that looks like a header', () => {
    const misleading = Buffer.from(stream);
    misleading.set(adts(40).subarray(0, 7), 50);
    expect(bytesOfSplitFrame(misleading.subarray(20, 700), misleading.subarray(700), lengthOf)).toBe(260);
  });

  it('is not misled by data whose length leads behind everything that is there', () => {
    const misleading = Buffer.from(stream);
    misleading.set(adts(8000).subarray(0, 7), 50);
    expect(bytesOfSplitFrame(misleading.subarray(20, 700), misleading.subarray(700), lengthOf)).toBe(260);
  });

  it('sees a header that is itself cut', () => {
    expect(bytesOfSplitFrame(stream.subarray(0, 553), stream.subarray(553), lengthOf)).toBe(407);
  });

  it('takes nothing when no chain of headers leads over the cut', () => {
    expect(bytesOfSplitFrame(Buffer.alloc(500, 1), stream, lengthOf)).toBe(0);
  });
});
