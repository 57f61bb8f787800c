import {
  aligned,
  PACKET,
  packetAt,
  packetise,
  pesHeader,
  readStamp,
  ticksSince,
  WRAP,
  withPayload,
  writeStamp,
} from '../../../lib/ffmpeg/ts-packets.ts';

const header = Uint8Array.of(0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x31, 0, 1, 0, 1, 0x11, 0, 1, 0, 1);

function packet(pid: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(PACKET).fill(fill);
  bytes.set([0x47, pid >> 8, pid & 0xff, 0x10]);
  return bytes;
}

describe('time stamps', () => {
  it.each([0, 1, 89_999, 2 ** 15, 2 ** 30 - 1, 2 ** 30, 2 ** 32 + 5, WRAP - 1])(
    'of %d ticks come back as written',
    (ticks) => {
      const bytes = Uint8Array.of(0x31, 0, 1, 0, 1);
      writeStamp(bytes, 0, ticks);
      expect(readStamp(bytes, 0)).toBe(ticks);
      // The four bits that say whether it is a PTS or a DTS, and the three marker bits.
      expect([bytes[0], bytes[2], bytes[4]].map((byte, at) => (byte ?? 0) & (at === 0 ? 0xf1 : 1))).toEqual([
        0x31, 1, 1,
      ]);
    },
  );

  it('below 0 and beyond 33 bits are written modulo 2^33', () => {
    const bytes = Uint8Array.of(0x21, 0, 1, 0, 1);
    writeStamp(bytes, 0, -1);
    expect(readStamp(bytes, 0)).toBe(WRAP - 1);
    writeStamp(bytes, 0, WRAP + 7);
    expect(readStamp(bytes, 0)).toBe(7);
  });

  it('are compared across the wrap', () => {
    expect(ticksSince(5, WRAP - 5)).toBe(10);
    expect(ticksSince(WRAP - 5, 5)).toBe(-10);
    expect(ticksSince(WRAP / 2 - 1, 0)).toBe(WRAP / 2 - 1);
  });
});

describe('aligned', () => {
  it('leaves whole packets as they are', () => {
    const bytes = Buffer.concat([packet(1, 1), packet(2, 2)]);
    expect(aligned(bytes)).toEqual(new Uint8Array(bytes));
  });

  it('drops what stands between packets, and the end of a cut-off one', () => {
    const bytes = Buffer.concat([
      Buffer.from('junk'),
      packet(1, 1),
      packet(4, 4),
      Buffer.from('more junk'),
      packet(2, 2),
      packet(5, 5),
      packet(3, 3).subarray(0, 100),
    ]);
    const kept = aligned(bytes);
    expect(Array.from({ length: kept.length / PACKET }, (_, at) => packetAt(kept, at * PACKET).pid)).toEqual([
      1, 4, 2, 5,
    ]);
  });

  it('finds nothing in what is no transport stream', () => {
    expect(aligned(new Uint8Array(1000))).toHaveLength(0);
  });
});

describe('packetise', () => {
  it.each([1, 183, 184, 185, 500, 4000])('packs %d bytes so that they come back, continuing the counter', (length) => {
    const pes = Uint8Array.from({ length }, (_, at) => at % 251);
    const ts = packetise(pes, 0x101, 3);
    const count = ts.length / PACKET;
    const infos = Array.from({ length: count }, (_, at) => packetAt(ts, at * PACKET));
    expect(infos.map((info) => info.pid)).toEqual(Array(count).fill(0x101));
    expect(infos.map((info) => info.starts)).toEqual([true, ...Array(count - 1).fill(false)]);
    expect(infos.at(-1)?.continuity).toBe(3);
    expect(infos[0]?.continuity).toBe((3 - (count - 1) + 16 * 100) % 16);
    const data = infos.map((info, at) => ts.subarray(at * PACKET + info.payload, (at + 1) * PACKET));
    expect(new Uint8Array(Buffer.concat(data))).toEqual(pes);
  });

  it('spreads few bytes over as many packets as it is asked to', () => {
    const ts = packetise(Uint8Array.of(1, 2, 3), 0x101, 0, 3);
    expect(ts).toHaveLength(3 * PACKET);
    expect(Array.from({ length: 3 }, (_, at) => ts[(at + 1) * PACKET - 1])).toEqual([1, 2, 3]);
  });
});

describe('PES headers', () => {
  it('are read with both stamps, and a missing DTS is the PTS', () => {
    expect(pesHeader(header)).toMatchObject({ streamId: 0xe0, headerBytes: 19, pts: 0, dts: 0 });
    const one = Uint8Array.of(0, 0, 1, 0xc0, 0, 8, 0x80, 0x80, 5, 0x21, 0, 1, 0, 5);
    expect(pesHeader(one)).toMatchObject({ length: 8, headerBytes: 14, pts: 2, dts: 2 });
  });

  it('are refused where they are cut off or no headers', () => {
    expect(pesHeader(header.subarray(0, 18))).toBeUndefined();
    expect(pesHeader(Uint8Array.of(0, 0, 2, 0xe0, 0, 0, 0x80, 0, 0))).toBeUndefined();
    expect(pesHeader(Uint8Array.of(0, 0, 1, 0xbe, 0, 0, 0xff, 0xff, 0))).toBeUndefined();
  });

  it('announce a changed payload, or nothing where 16 bits do not hold it', () => {
    const bounded = Uint8Array.from(header);
    bounded[5] = 13;
    expect([...withPayload(bounded, new Uint8Array(300)).subarray(4, 6)]).toEqual([1, 300 + 13 - 256]);
    expect([...withPayload(bounded, new Uint8Array(70_000)).subarray(4, 6)]).toEqual([0, 0]);
    expect([...withPayload(header, new Uint8Array(300)).subarray(4, 6)]).toEqual([0, 0]);
  });
});
