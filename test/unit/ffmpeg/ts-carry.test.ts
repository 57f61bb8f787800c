import { assembleSlice, planSlice, type RunCarry, type SliceInput } from '../../../lib/ffmpeg/ts-carry.ts';
import { PACKET, packetAt, packetise, pesHeader, WRAP, writeStamp } from '../../../lib/ffmpeg/ts-packets.ts';
import { describeStream, programTables } from '../../../lib/ffmpeg/ts-program.ts';
import { pesBytes } from '../../../lib/ffmpeg/ts-scan.ts';

const VIDEO = 0x100;
const AUDIO = 0x101;
const none = new Uint8Array();
const tables = programTables([describeStream(VIDEO, 27, none), describeStream(AUDIO, 15, none)]);

function pes(pid: number, pts: number, data: Uint8Array): Uint8Array {
  const header = Uint8Array.of(0, 0, 1, pid === VIDEO ? 0xe0 : 0xc0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1);
  writeStamp(header, 9, pts);
  return packetise(Buffer.concat([header, data]), pid, 0);
}

const sps = [0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4];
const picture = (isKey: boolean, fill: number) =>
  Uint8Array.from([
    0,
    0,
    0,
    1,
    9,
    0xf0,
    ...(isKey ? sps : []),
    0,
    0,
    1,
    isKey ? 0x65 : 0x41,
    ...Array<number>(300).fill(fill),
  ]);
const sound = (length = 100) =>
  Uint8Array.from([
    0xff,
    0xf1,
    0x4c,
    0x80 | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc,
    ...Array<number>(length - 7).fill(0x22),
  ]);

/** The PES packets of a PID in what a slice gives to ffmpeg: stamp and data. */
function written(ts: Uint8Array, pid: number): { pts: number | undefined; data: number[] }[] {
  const found: { pts: number | undefined; data: number[] }[] = [];
  for (let packet = 0; packet < ts.length / PACKET; packet++) {
    const info = packetAt(ts, packet * PACKET);
    if (info.pid !== pid || !info.starts) continue;
    const { bytes } = pesBytes(ts, pid, packet);
    const header = pesHeader(bytes);
    found.push({ pts: header?.pts, data: [...bytes.subarray(header?.headerBytes ?? 0)] });
  }
  return found;
}

/** Joins what planSlice takes as one, and what it answers with, into one. */
function plan(bytes: Uint8Array, following: Uint8Array, from: SliceInput['from']) {
  const ts = new Uint8Array(Buffer.concat([bytes, following]));
  const slice = planSlice({ ts, ownBytes: bytes.length, from });
  const { chunks, streams } = assembleSlice(ts, slice);
  return { ...slice, streams, ts: Buffer.concat(chunks) };
}

describe('planSlice', () => {
  const first = Buffer.concat([
    tables,
    pes(VIDEO, 9000, picture(true, 1)),
    pes(AUDIO, 8000, sound()),
    pes(VIDEO, 12_000, picture(false, 2)),
  ]);
  const second = Buffer.concat([tables, pes(VIDEO, 15_000, picture(false, 3)), pes(AUDIO, 17_600, sound())]);

  it('sets the clock of a run by its earliest presentation time', () => {
    const slice = plan(first, second, { start90k: 500_000 });
    const clock = (pts: number | undefined) => (pts ?? 0) + slice.addTicks + slice.shiftSeconds * 90_000;
    expect(written(slice.ts, AUDIO).map(({ pts }) => clock(pts))).toEqual([500_000]);
    expect(written(slice.ts, VIDEO).map(({ pts }) => clock(pts))).toEqual([501_000, 504_000, 507_000]);
  });

  it('takes a PID for what it was first, whatever a map behind it says', () => {
    const other = programTables([describeStream(VIDEO, 36, none), describeStream(AUDIO, 3, none)]);
    const slice = plan(first, Buffer.concat([other, second.subarray(tables.length)]), { start90k: 0 });
    expect(slice.streams.map(({ stream }) => stream.name)).toEqual(['H.264', 'AAC']);
  });

  it('takes the next picture along as the end of its last one, and says where its own end', () => {
    const slice = plan(first, second, { start90k: 0 });
    expect(slice.streams.map(({ kind, ordinal, position }) => [kind, ordinal, position])).toEqual([
      ['video', 0, 0],
      ['audio', 0, 1],
    ]);
    const end = slice.streams[0]?.endDts ?? 0;
    expect(end + slice.shiftSeconds * 90_000).toBe(7000);
    expect(written(slice.ts, AUDIO)).toHaveLength(1);
  });

  it('continues the clock in the next slice, and puts the parameter sets before a picture without', () => {
    const before = plan(first, second, { start90k: 0 });
    if (before.carry === undefined) throw new Error('no carry');
    // Between two parts it is JSON in a row.
    const carry = JSON.parse(JSON.stringify(before.carry)) as RunCarry;
    const slice = plan(second, none, carry);
    const [own] = written(slice.ts, VIDEO);
    expect((own?.pts ?? 0) + slice.addTicks + slice.shiftSeconds * 90_000).toBe(7000);
    expect(own?.data.slice(0, sps.length)).toEqual(sps);
    expect(own?.data.slice(sps.length)).toEqual([...picture(false, 3)]);
    expect(slice.streams[0]?.prefix.map((unit) => [...unit])).toEqual([
      [0x67, 1, 2, 3],
      [0x68, 4],
    ]);
    expect(slice.streams[0]?.endDts).toBeUndefined();
  });

  it('gives the rest of a PES packet to the slice it began in, wherever the cut is', () => {
    const whole = Buffer.concat([first, second]);
    const begins = first.length - 1 * PACKET;
    const before = plan(whole.subarray(0, begins), whole.subarray(begins), { start90k: 0 });
    if (before.carry === undefined) throw new Error('no carry');
    const after = plan(whole.subarray(begins), none, before.carry);
    expect(written(before.ts, VIDEO)[1]?.data).toEqual([...picture(false, 2)]);
    expect(written(after.ts, VIDEO)).toHaveLength(1);
  });

  it('gives the head of a split audio frame to the slice it began in', () => {
    const frames = Buffer.concat([sound(100), sound(120), sound(90), sound(110)]);
    const bytes = Buffer.concat([tables, pes(AUDIO, 9000, frames.subarray(0, 150))]);
    const following = pes(AUDIO, 12_000, frames.subarray(150));
    const before = plan(bytes, following, { start90k: 0 });
    expect(written(before.ts, AUDIO).flatMap(({ data }) => data)).toEqual([...frames.subarray(0, 220)]);
    if (before.carry === undefined) throw new Error('no carry');
    expect(before.carry.taken).toEqual({ [AUDIO]: 70 });
    const after = plan(following, none, before.carry);
    expect(written(after.ts, AUDIO).flatMap(({ data }) => data)).toEqual([...frames.subarray(220)]);
  });

  it('follows the clock through the 33-bit wrap', () => {
    const bytes = Buffer.concat([tables, pes(AUDIO, WRAP - 1000, sound()), pes(AUDIO, 1000, sound())]);
    const slice = plan(bytes, none, { start90k: 0 });
    const times = written(slice.ts, AUDIO).map(({ pts }) => (pts ?? 0) + slice.addTicks + slice.shiftSeconds * 90_000);
    expect(times).toEqual([0, 2000]);
  });

  it('moves stamps by whole multiples of 1024 s, so that times counted in frames round as in the whole stream', () => {
    const at = 5_000 * 90_000 + 77;
    const slice = plan(Buffer.concat([tables, pes(AUDIO, at, sound())]), none, { start90k: 0 });
    const [own] = written(slice.ts, AUDIO);
    expect((at - (own?.pts ?? 0)) % (1024 * 90_000)).toBe(0);
    expect(own?.pts).toBeGreaterThanOrEqual(10 * 90_000);
    expect(own?.pts).toBeLessThan(1_100 * 90_000);
  });

  it('asks for more of what follows until it sees where each stream goes on', () => {
    const slice = plan(first, pes(AUDIO, 17_600, sound()), { start90k: 0 });
    expect(slice.wantsMore).toBe(true);
    expect(plan(first, second, { start90k: 0 }).wantsMore).toBe(false);
    expect(plan(first, none, { start90k: 0 }).wantsMore).toBe(false);
  });

  it('restamps a PES header that goes on in the next transport packet', () => {
    const payload = sound();
    const header = Uint8Array.of(0, 0, 1, 0xc0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1);
    writeStamp(header, 9, 90_000);
    // Twelve bytes in the first packet: the stamp is cut in two.
    const spread = packetise(Buffer.concat([header, payload]), AUDIO, 1, 100).subarray(0);
    const bytes = Buffer.concat([tables, spread]);
    const slice = plan(bytes, none, { start90k: 700 });
    const [own] = written(slice.ts, AUDIO);
    expect((own?.pts ?? 0) + slice.addTicks + slice.shiftSeconds * 90_000).toBe(700);
    expect(own?.data).toEqual([...payload]);
  });

  it('has nothing to do where there is nothing, and keeps what it knew', () => {
    const carry = plan(first, second, { start90k: 0 }).carry;
    if (carry === undefined) throw new Error('no carry');
    const slice = plan(none, none, carry);
    expect(slice.ts).toHaveLength(0);
    expect(slice.carry).toEqual(carry);
  });
});
