/** The probe on real streams of every shape, and on damage made by hand. */
import { readFile } from 'node:fs/promises';
import type { SegmentRejected } from '../../../lib/capture/errors.ts';
import { probeSegment, type SegmentProbe, usableBytes } from '../../../lib/capture/ts-probe.ts';
import { withoutRepetitions } from '../../../lib/capture/ts-sync.ts';
import { makeHls, type StreamShape } from '../../support/media/index.ts';
import { AV, adtsFrames, h264Slice, plainSegment, TsBuilder } from './ts-builder.ts';

async function probeAll(shape: StreamShape): Promise<{ probes: SegmentProbe[]; durations: readonly number[] }> {
  const hls = await makeHls(shape);
  return {
    probes: await Promise.all(hls.segments.map(async (file) => probeSegment(await readFile(file)))),
    durations: hls.durations,
  };
}

async function realSegment(index = 1): Promise<Uint8Array> {
  const hls = await makeHls({ seconds: 6, audio: [{ codec: 'aac' }] });
  return readFile(hls.segments[index] ?? '');
}

function rejection(bytes: Uint8Array): SegmentRejected {
  try {
    probeSegment(bytes);
  } catch (error) {
    return error as SegmentRejected;
  }
  throw new Error('it was accepted');
}

const text = (value: string) => new TextEncoder().encode(value);

describe('a sound segment', () => {
  const shapes: [string, StreamShape, string[]][] = [
    [
      'H.264 with B-frames at 29.97 and AAC',
      { seconds: 8, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] },
      ['h264', 'aac'],
    ],
    ['H.264 and MP3', { seconds: 6, audio: [{ codec: 'mp3' }] }, ['h264', 'mp3']],
    ['HEVC and AC-3', { seconds: 6, video: 'hevc', audio: [{ codec: 'ac3' }] }, ['hevc', 'ac3']],
    [
      'mono AAC at 44.1 kHz alone',
      { seconds: 6, video: 'none', audio: [{ codec: 'aac', sampleRate: 44_100, channels: 1 }] },
      ['aac'],
    ],
    ['H.264 alone', { seconds: 6, audio: [] }, ['h264']],
    ['H.264 across the 33-bit wrap', { seconds: 10, startSeconds: 95_440, audio: [{ codec: 'aac' }] }, ['h264', 'aac']],
  ];

  it.each(shapes)('of %s begins exactly where the one before it ends, on every track', async (_name, shape, codecs) => {
    const { probes, durations } = await probeAll(shape);
    expect(probes.length).toBeGreaterThan(2);
    for (const [i, probe] of probes.entries()) {
      expect(probe.tracks.map(({ codec }) => codec)).toEqual(codecs);
      expect(probe.notes).toEqual([]);
      expect(probe.startsWithKeyframe).toBe(true);
      expect(Math.abs(probe.durationMs - (durations[i] ?? 0) * 1000)).toBeLessThanOrEqual(30);
      const previous = probes[i - 1];
      if (previous === undefined || shape.startSeconds !== undefined) continue;
      expect(probe.firstDts90k).toBeCloseTo(previous.endDts90k, -1);
      for (const [t, track] of probe.tracks.entries()) {
        const gap = (track.times?.firstDts90k ?? 0) - (previous.tracks[t]?.times?.endDts90k ?? 0);
        expect(Math.abs(gap)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('tells its picture size, sample rate, channels and one fingerprint throughout', async () => {
    const { probes } = await probeAll({ seconds: 6, audio: [{ codec: 'aac' }] });
    const [video, audio] = probes[0]?.tracks ?? [];
    expect(video).toMatchObject({ kind: 'video', width: 320, height: 180, units: 50, keyframeFirst: true });
    expect(video?.fingerprint).toMatch(/^h264:[0-9a-f]{32}$/);
    expect(audio).toMatchObject({ kind: 'audio', sampleRate: 48_000, channels: 2, fingerprint: 'aac:2:48000:2' });
    expect(new Set(probes.map(({ tracks }) => tracks[0]?.fingerprint)).size).toBe(1);
  });

  it('of another resolution has another fingerprint', async () => {
    const small = await probeAll({ seconds: 6, audio: [{ codec: 'aac' }] });
    const large = await probeAll({ seconds: 6, audio: [{ codec: 'aac' }], width: 640, height: 360 });
    expect(large.probes[0]?.tracks[0]).toMatchObject({ width: 640, height: 360 });
    expect(large.probes[0]?.tracks[0]?.fingerprint).not.toBe(small.probes[0]?.tracks[0]?.fingerprint);
  });

  it('of HEVC and of odd sizes tells its picture size', async () => {
    const hevc = await probeAll({ seconds: 4, video: 'hevc', audio: [] });
    expect(hevc.probes[0]?.tracks[0]).toMatchObject({ codec: 'hevc', width: 320, height: 180, keyframeFirst: true });
    const odd = await probeAll({ seconds: 4, audio: [], width: 426, height: 238 });
    expect(odd.probes[0]?.tracks[0]).toMatchObject({ width: 426, height: 238 });
  });

  it('unwraps its times across 2^33', async () => {
    const bytes = plainSegment({ first: 2 ** 33 - 36_000 }).bytes();
    const probe = probeSegment(bytes);
    expect(probe.firstDts90k).toBe(2 ** 33 - 36_000);
    expect(probe.endDts90k).toBe(2 ** 33 + 144_000);
    expect(probe.durationMs).toBe(2000);
    expect(probe.damage.timestampJumps).toBe(0);
  });

  it('survives JSON, since the ledger keeps it so', async () => {
    const probe = probeSegment(await realSegment());
    expect(JSON.parse(JSON.stringify(probe))).toEqual(probe);
  });

  it('with an open group of pictures counts as a place to start decoding', async () => {
    const { probes } = await probeAll({ seconds: 6, audio: [], bframes: 2, openGop: true });
    expect(probes.map(({ startsWithKeyframe }) => startsWithKeyframe)).toEqual([true, true, true]);
  });
});

describe('the reader of packets', () => {
  it('takes DTS from PES headers and orders presentation by PTS', () => {
    const ts = new TsBuilder().pat().pmt([{ pid: 0x100, type: 0x1b }]);
    for (const [pts, dts] of [
      [9000, 0],
      [18_000, 3000],
      [12_000, 6000],
      [15_000, 9000],
    ] as const)
      ts.pes(0x100, { pts, dts, payload: h264Slice(true) });
    expect(probeSegment(ts.bytes()).tracks[0]?.times).toEqual({
      firstDts90k: 0,
      lastDts90k: 9000,
      endDts90k: 12_000,
      minPts90k: 9000,
      endPts90k: 21_000,
    });
  });

  it('finds units that lie before the tables', () => {
    const ts = new TsBuilder()
      .pes(0x101, { pts: 900, payload: adtsFrames(2), streamId: 0xc0 })
      .pat()
      .pmt(AV);
    ts.pes(0x101, { pts: 900 + 2 * 1920, payload: adtsFrames(3), streamId: 0xc0 });
    expect(probeSegment(ts.bytes()).tracks[1]?.times).toMatchObject({ firstDts90k: 900, endDts90k: 900 + 5 * 1920 });
  });

  it('reads a PES header that goes over two packets', () => {
    const ts = new TsBuilder().pat().pmt(AV);
    const unit = Buffer.concat([
      Uint8Array.from([0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0x00, 0x01, 0x0e, 0x11]),
      h264Slice(true),
    ]);
    ts.packet(0x100, unit.subarray(0, 11), true).packet(0x100, unit.subarray(11, 150));
    const probe = probeSegment(ts.bytes());
    expect(probe.firstDts90k).toBe(0x0708);
    expect(probe.startsWithKeyframe).toBe(true);
  });

  it('reads several programs', () => {
    const ts = new TsBuilder()
      .pat({ 1: 0x1000, 2: 0x1001 })
      .pmt([{ pid: 0x100, type: 0x1b }])
      .pmt([{ pid: 0x200, type: 0x0f }], { pid: 0x1001, program: 2 });
    ts.pes(0x200, { pts: 9000, payload: adtsFrames(1), streamId: 0xc0 }).pes(0x100, {
      pts: 9000,
      payload: h264Slice(true),
    });
    expect(probeSegment(ts.bytes()).tracks.map(({ pid, programNumber }) => [pid, programNumber])).toEqual([
      [0x100, 1],
      [0x200, 2],
    ]);
  });

  it('takes no table that is not yet valid or has a wrong checksum', () => {
    const early = new TsBuilder().pat().pmt(AV, { current: false }).pes(0x100, { pts: 1 });
    expect(rejection(early.bytes()).code).toBe('SEGMENT_NO_PROGRAM');
    const broken = new TsBuilder().pat().pmt(AV, { breakCrc: true }).pes(0x100, { pts: 1 });
    expect(rejection(broken.bytes()).code).toBe('SEGMENT_NO_PROGRAM');
  });

  it.each([
    [0x06, [0x05, 4, 0x4f, 0x70, 0x75, 0x73], 'opus'],
    [0x06, [0x6a, 1, 0], 'ac3'],
    [0x06, [0x0a, 1, 0, 0x7a, 1, 0], 'eac3'],
    [0x06, [0x05, 4, 0x48, 0x45, 0x56, 0x43], 'hevc'],
    [0x81, [], 'ac3'],
    [0x03, [], 'mp3'],
    [0x11, [], 'aac_latm'],
    [0x33, [], 'vvc'],
  ])('names the codec of stream type %i with descriptors %j', (type, descriptors, codec) => {
    const ts = new TsBuilder()
      .pat()
      .pmt([{ pid: 0x100, type, descriptors }])
      .pes(0x100, { pts: 0 })
      .pes(0x100, { pts: 3600 });
    expect(probeSegment(ts.bytes()).tracks[0]?.codec).toBe(codec);
  });

  it('lets timed metadata neither lead nor count as media', () => {
    const ts = new TsBuilder().pat().pmt([{ pid: 0x102, type: 0x15 }, ...AV]);
    ts.pes(0x102, { pts: 1, streamId: 0xbd }).pes(0x100, { pts: 900, payload: h264Slice(true) });
    expect(probeSegment(ts.bytes())).toMatchObject({ primaryPid: 0x100, firstDts90k: 900 });
    const alone = new TsBuilder()
      .pat()
      .pmt([{ pid: 0x102, type: 0x15 }])
      .pes(0x102, { pts: 1, streamId: 0xbd });
    expect(rejection(alone.bytes()).code).toBe('SEGMENT_NO_PROGRAM');
  });

  it('gives a lone picture the length of its sound', () => {
    const ts = new TsBuilder()
      .pat()
      .pmt(AV)
      .pes(0x100, { pts: 0, payload: h264Slice(true) });
    ts.pes(0x101, { pts: 0, payload: adtsFrames(47), streamId: 0xc0 });
    expect(probeSegment(ts.bytes()).durationMs).toBe(Math.round((47 * 1920) / 90));
  });

  it('says that a segment without a keyframe at its begin has none', () => {
    expect(probeSegment(plainSegment({ keyframe: false }).bytes()).startsWithKeyframe).toBe(false);
  });

  it('takes a recovery point for a place to start, flagged or not', () => {
    const recovery = Buffer.concat([Uint8Array.from([0, 0, 1, 6, 5, 2, 1, 1, 6, 1, 0x84, 0x80]), h264Slice(false)]);
    const other = Buffer.concat([Uint8Array.from([0, 0, 1, 6, 5, 6, 6, 6, 6, 6, 6, 6, 0x80]), h264Slice(false)]);
    const startsWith = (payload: Uint8Array) =>
      probeSegment(new TsBuilder().pat().pmt(AV).pes(0x100, { pts: 0, payload }).bytes()).startsWithKeyframe;
    expect(startsWith(recovery)).toBe(true);
    expect(startsWith(other)).toBe(false);
  });

  it('takes the track layout from a neighbour where the tables are missing', () => {
    const whole = probeSegment(plainSegment().bytes());
    const bare = plainSegment({ tables: false }).bytes();
    expect(rejection(bare).code).toBe('SEGMENT_NO_PROGRAM');
    const probe = probeSegment(bare, { knownPids: whole.tracks });
    expect(probe.tracks.map(({ times }) => times)).toEqual(whole.tracks.map(({ times }) => times));
    expect(probe.notes).toEqual(['its tables are missing: track layout taken from a neighbour']);
  });
});

describe('a damaged segment', () => {
  it('cut off anywhere counts with its whole packets', async () => {
    const bytes = await realSegment();
    for (const share of [0.3, 0.5, 0.77, 0.999]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * share));
      const probe = probeSegment(cut);
      expect(probe.usable).toEqual({ offset: 0, bytes: cut.length - (cut.length % 188) });
      expect(probe.damage.truncatedBytes).toBe(cut.length % 188);
      if (share < 0.9) expect(probe.durationMs).toBeLessThan(2000);
      expect(probe.durationMs).toBeGreaterThan(2000 * share * 0.5);
      if (cut.length % 188 !== 0) expect(probe.notes[0]).toMatch(/^cut off: \d+ bytes/);
    }
  });

  it('with rubbish in front is read from its first packet', () => {
    const bytes = plainSegment().bytes();
    const probe = probeSegment(Buffer.concat([text('1f40\r\n'), bytes]));
    expect(probe.usable).toEqual({ offset: 6, bytes: bytes.length });
    expect(Buffer.from(usableBytes(Buffer.concat([text('1f40\r\n'), bytes]), probe))).toEqual(Buffer.from(bytes));
  });

  it('with rubbish in the middle finds its packets again', () => {
    const bytes = plainSegment().bytes();
    const probe = probeSegment(
      Buffer.concat([bytes.subarray(0, 188 * 40), text('HTTP/1.1 500'), bytes.subarray(188 * 40)]),
    );
    expect(probe.damage).toMatchObject({ droppedBytes: 12, corruptPackets: 1, continuityErrors: 0 });
    expect(probe.durationMs).toBe(2000);
  });

  it('with zeros at its end is cut there', () => {
    const bytes = plainSegment().bytes();
    const probe = probeSegment(Buffer.concat([bytes, new Uint8Array(1000)]));
    expect(probe.usable.bytes).toBe(bytes.length);
    expect(probe.damage.truncatedBytes).toBe(1000);
  });

  it('with lost packets counts the places', () => {
    const bytes = plainSegment().bytes();
    const probe = probeSegment(Buffer.concat([bytes.subarray(0, 188 * 30), bytes.subarray(188 * 31)]));
    expect(probe.damage.continuityErrors).toBe(1);
    expect(probe.notes).toEqual(['packets are lost at 1 places']);
  });

  it('may repeat a packet once, or reset its counter where it says so', () => {
    const ts = new TsBuilder()
      .pat()
      .pmt(AV)
      .pes(0x100, { pts: 0, payload: h264Slice(true, 20) });
    const again = ts.bytes().subarray(-188);
    const repeated = probeSegment(Buffer.concat([ts.bytes(), again]));
    expect(repeated.damage.continuityErrors).toBe(0);
    expect(repeated.tracks[0]?.units).toBe(1);
    expect(probeSegment(Buffer.concat([ts.bytes(), again, again])).damage.continuityErrors).toBe(1);
    ts.packet(0x100, h264Slice(false, 20), false, { flags: 0x80, cc: 9 });
    expect(probeSegment(ts.bytes()).damage.continuityErrors).toBe(0);
  });

  it('without its repeated packets is what it was, whatever their clock reference', async () => {
    const bytes = await realSegment();
    const packets = Array.from({ length: bytes.length / 188 }, (_, at) => bytes.subarray(at * 188, (at + 1) * 188));
    const twice = packets.flatMap((packet) => {
      const again = new Uint8Array(packet);
      const hasClock = ((packet[3] ?? 0) & 0x20) !== 0 && (packet[4] ?? 0) > 6 && ((packet[5] ?? 0) & 0x10) !== 0;
      if (hasClock) again[8] = (again[8] ?? 0) ^ 1;
      return [packet, again];
    });
    const repeated = probeSegment(Buffer.concat(twice));
    expect(repeated.damage).toMatchObject({ continuityErrors: 0, repeatedPackets: expect.any(Number) });
    expect(repeated.damage.repeatedPackets).toBeGreaterThan(100);
    expect(Buffer.compare(withoutRepetitions(Buffer.concat(twice)), bytes)).toBe(0);
    expect(Buffer.compare(withoutRepetitions(bytes), bytes)).toBe(0);
  });

  it('with packets marked as faulty does not read them', () => {
    const ts = new TsBuilder()
      .pat()
      .pmt(AV)
      .packet(0x100, new Uint8Array(184), true, { tei: true })
      .pes(0x100, { pts: 5, payload: h264Slice(true) });
    const probe = probeSegment(ts.bytes());
    expect(probe.damage).toMatchObject({ transportErrors: 1, corruptUnits: 0 });
    expect(probe.firstDts90k).toBe(5);
  });

  it('counts PES packets without a start code', () => {
    const ts = plainSegment().packet(0x100, new Uint8Array(184).fill(7), true);
    expect(probeSegment(ts.bytes()).damage.corruptUnits).toBe(1);
  });

  it('with a clock that jumps inside it counts only the media', () => {
    const ts = new TsBuilder().pat().pmt([{ pid: 0x100, type: 0x1b }]);
    for (const from of [900_000, 0])
      for (let i = 0; i < 25; i++) ts.pes(0x100, { pts: from + i * 3600, payload: h264Slice(i === 0) });
    const probe = probeSegment(ts.bytes());
    expect(probe.damage.timestampJumps).toBe(1);
    expect(probe.durationMs).toBe(2000);
  });
});

describe('what is no usable segment', () => {
  it.each<[string, Uint8Array, string, RegExp]>([
    ['nothing', new Uint8Array(), 'SEGMENT_EMPTY', /0 bytes/],
    ['an HTML page', text(`<!DOCTYPE html><html>${'x'.repeat(900)}</html>`), 'SEGMENT_NOT_TS', /HTML/],
    ['a short HTML page', text('<html>404</html>'), 'SEGMENT_NOT_TS', /HTML/],
    ['JSON', text(`{"error":"${'x'.repeat(300)}"}`), 'SEGMENT_NOT_TS', /JSON/],
    [
      'an error of a store',
      text(`<?xml version="1.0"?><Error><Code>SlowDown</Code>${' '.repeat(200)}</Error>`),
      'SEGMENT_NOT_TS',
      /XML/,
    ],
    ['a playlist', text(`#EXTM3U\n${'#EXTINF:2,\na.ts\n'.repeat(20)}`), 'SEGMENT_NOT_TS', /playlist/],
    ['text as long as a packet that begins with G', text('Gateway timeout. '.repeat(12)), 'SEGMENT_NOT_TS', /text/],
    ['text that begins with G', text('Gateway timeout. '.repeat(30)), 'SEGMENT_NOT_TS', /text/],
    [
      'an MP4 file',
      Buffer.concat([Uint8Array.from([0, 0, 0, 24]), text('ftypisom'), new Uint8Array(400)]),
      'SEGMENT_NOT_TS',
      /MP4/,
    ],
    ['zeros', new Uint8Array(5000), 'SEGMENT_NOT_TS', /zeros/],
    ['noise', Uint8Array.from({ length: 5001 }, (_, i) => (i * i * 31 + 7) % 251), 'SEGMENT_NOT_TS', /noise/],
    [
      'the first bytes of a packet',
      Uint8Array.from([0x47, 0x40, 0x00, 0x10, 0x00, 0xb0]),
      'SEGMENT_TRUNCATED',
      /0 whole packets/,
    ],
    [
      'null packets alone',
      new TsBuilder().packet(0x1fff, new Uint8Array(184)).bytes(),
      'SEGMENT_NO_PROGRAM',
      /association table/,
    ],
    [
      'a PAT without PMT',
      new TsBuilder().pat().pes(0x100, { pts: 1 }).bytes(),
      'SEGMENT_NO_PROGRAM',
      /no valid program map/,
    ],
    [
      'tables without media',
      new TsBuilder().pat().pmt(AV).bytes(),
      'SEGMENT_NO_TIMESTAMPS',
      /0 PES packets in 2 tracks/,
    ],
    [
      'media without timestamps',
      new TsBuilder().pat().pmt(AV).pes(0x100).pes(0x101).bytes(),
      'SEGMENT_NO_TIMESTAMPS',
      /2 PES packets/,
    ],
  ])('%s is rejected as such', (_what, bytes, code, message) => {
    const error = rejection(bytes);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('a segment that breaks off before its first sample is truncated', () => {
    const bytes = new TsBuilder().pat().pmt(AV).bytes();
    expect(rejection(Buffer.concat([bytes, bytes.subarray(0, 100)]))).toMatchObject({
      code: 'SEGMENT_TRUNCATED',
      retryable: true,
      truncatedBytes: 100,
    });
  });

  it('scrambled and SAMPLE-AES segments are encrypted', () => {
    const scrambled = new TsBuilder().pat().pmt(AV).packet(0x100, h264Slice(true, 100), true, { scrambled: true });
    expect(rejection(scrambled.bytes()).code).toBe('SEGMENT_ENCRYPTED');
    const sampleAes = new TsBuilder()
      .pat()
      .pmt([{ pid: 0x100, type: 0xdb }])
      .pes(0x100, { pts: 1 });
    expect(rejection(sampleAes.bytes()).code).toBe('SEGMENT_ENCRYPTED');
  });

  it('packets of 192 and 204 bytes are refused by name', () => {
    const bytes = plainSegment().bytes();
    const widen = (before: number, after: number) => {
      const packets = Array.from({ length: bytes.length / 188 }, (_, i) => bytes.subarray(i * 188, i * 188 + 188));
      return Buffer.concat(packets.flatMap((packet) => [new Uint8Array(before), packet, new Uint8Array(after)]));
    };
    expect(rejection(widen(4, 0))).toMatchObject({
      code: 'SEGMENT_UNSUPPORTED',
      message: expect.stringMatching(/192/),
    });
    expect(rejection(widen(0, 16))).toMatchObject({
      code: 'SEGMENT_UNSUPPORTED',
      message: expect.stringMatching(/204/),
    });
  });
});
