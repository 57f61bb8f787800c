/** Whatever the bytes: a probe that is consistent in itself, or a typed rejection; never a hang. */
import fc from 'fast-check';
import { SegmentRejected } from '../../../lib/capture/errors.ts';
import { probeSegment, type SegmentProbe, usableBytes } from '../../../lib/capture/ts-probe.ts';
import { plainSegment, TsBuilder } from '../../unit/capture/ts-builder.ts';

const sound = plainSegment().bytes();
const soundProbe = probeSegment(sound);

function check(bytes: Uint8Array): SegmentProbe | null {
  const started = performance.now();
  let probe: SegmentProbe;
  try {
    probe = probeSegment(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(SegmentRejected);
    return null;
  } finally {
    expect(performance.now() - started).toBeLessThan(2000);
  }
  const { offset, bytes: length } = probe.usable;
  expect(offset + length + probe.damage.truncatedBytes).toBe(bytes.length);
  expect(probe.durationMs).toBeGreaterThanOrEqual(0);
  expect(Number.isSafeInteger(probe.firstDts90k) && Number.isSafeInteger(probe.endDts90k)).toBe(true);
  expect(probe.firstDts90k).toBeGreaterThanOrEqual(0);
  expect(probe.firstDts90k).toBeLessThan(2 ** 33);
  expect(JSON.parse(JSON.stringify(probe))).toEqual(probe);
  return probe;
}

describe('the probe', () => {
  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4000 }), (bytes) => void check(bytes)),
      { numRuns: 500 },
    );
  });

  it('survives packets of any content in step', () => {
    const packet = fc.uint8Array({ minLength: 187, maxLength: 187 });
    const pid = fc.constantFrom(0, 0x100, 0x101, 0x1000, 0x1fff);
    fc.assert(
      fc.property(fc.array(fc.tuple(pid, packet), { minLength: 1, maxLength: 30 }), (packets) => {
        const ts = new TsBuilder().pat().pmt([
          { pid: 0x100, type: 0x1b },
          { pid: 0x101, type: 0x0f },
        ]);
        for (const [id, rest] of packets) {
          const bytes = Uint8Array.from([0x47, ...rest]);
          bytes[1] = ((bytes[1] ?? 0) & 0xe0) | (id >> 8);
          bytes[2] = id & 255;
          ts.raw(bytes);
        }
        check(ts.bytes());
      }),
      { numRuns: 500 },
    );
  });

  it('survives units of any content in any codec', () => {
    const types = fc.constantFrom(0x01, 0x02, 0x03, 0x0f, 0x11, 0x1b, 0x24, 0x81, 0x87);
    const start = fc.constantFrom(
      [0, 0, 1, 0x67],
      [0, 0, 1, 0x42],
      [0, 0, 1, 0xb3],
      [0xff, 0xf1],
      [0xff, 0xfb],
      [0x0b, 0x77],
      [0, 0, 1, 6],
    );
    fc.assert(
      fc.property(
        types,
        fc.array(fc.tuple(start, fc.uint8Array({ maxLength: 300 })), { maxLength: 6 }),
        (type, units) => {
          const ts = new TsBuilder().pat().pmt([{ pid: 0x100, type }]);
          for (const [i, [head, rest]] of units.entries())
            ts.pes(0x100, { pts: i * 3600, payload: Uint8Array.from([...head, ...rest]) });
          check(ts.bytes());
        },
      ),
      { numRuns: 500 },
    );
  });

  it('keeps every whole packet of a segment cut anywhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: sound.length }), (length) => {
        const probe = check(sound.subarray(0, length));
        if (probe === null) return length < 188 * 4;
        return probe.usable.bytes === length - (length % 188) && probe.durationMs <= soundProbe.durationMs;
      }),
      { numRuns: 300 },
    );
  });

  it('notes every flipped byte that it can notice, and never reads more media than there was', () => {
    const flips = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(flips, (changes) => {
        const bytes = Uint8Array.from(sound);
        for (const [at, mask] of changes) bytes[at] = (bytes[at] ?? 0) ^ mask;
        const probe = check(bytes);
        if (probe === null) return;
        const lostSync = changes.some(
          ([at]) => at % 188 === 0 && bytes[at] !== 0x47 && at >= probe.usable.offset && at < probe.usable.bytes,
        );
        if (lostSync) expect(probe.notes).not.toEqual([]);
        for (const track of probe.tracks) expect(track.packets).toBeLessThanOrEqual(probe.packets);
      }),
      { numRuns: 500 },
    );
  });

  it('reads the usable bytes of a damaged segment as the same segment again', () => {
    const junk = fc.uint8Array({ maxLength: 180 }).filter((bytes) => !bytes.includes(0x47));
    fc.assert(
      fc.property(junk, fc.nat(187), (front, cut) => {
        const bytes = Buffer.concat([front, sound.subarray(0, sound.length - cut)]);
        const probe = probeSegment(bytes);
        const again = probeSegment(usableBytes(bytes, probe));
        expect(again.tracks).toEqual(probe.tracks);
        expect(again.damage.truncatedBytes).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('unwraps timestamps wherever a segment begins', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 33 - 1), fc.integer({ min: 2, max: 60 }), (first, frames) => {
        const probe = probeSegment(plainSegment({ first, frames }).bytes());
        return (
          probe.firstDts90k === first && probe.endDts90k === first + frames * 3600 && probe.damage.timestampJumps === 0
        );
      }),
      { numRuns: 100 },
    );
  });
});
