/**
 * Makes the streams no encoder at hand makes: cuts anywhere, audio frames split over PES packets, tracks that come and go,
 * metadata streams, lost program maps. Owns its own reading of transport packets, so that it checks the product's.
 */

const PACKET = 188;

export function pidOf(ts: Uint8Array, at: number): number {
  return (((ts[at + 1] ?? 0) & 0x1f) << 8) | (ts[at + 2] ?? 0);
}

function startsUnit(ts: Uint8Array, at: number): boolean {
  return ((ts[at + 1] ?? 0) & 0x40) !== 0;
}

function payloadAt(ts: Uint8Array, at: number): Uint8Array {
  const control = (ts[at + 3] ?? 0) & 0x30;
  if ((control & 0x10) === 0) return new Uint8Array();
  return ts.subarray(at + 4 + (control === 0x30 ? 1 + (ts[at + 4] ?? 0) : 0), at + PACKET);
}

/** Pieces that begin at the given numbers of transport packets, whatever lies there. */
export function cutAtPackets(ts: Uint8Array, packets: readonly number[]): Uint8Array[] {
  const bounds = [0, ...packets, Math.floor(ts.length / PACKET)];
  return bounds.slice(1).map((end, at) => new Uint8Array(ts.subarray((bounds[at] ?? 0) * PACKET, end * PACKET)));
}

/** Replaces every packet for which `unwanted` holds by a null packet. */
export function without(ts: Uint8Array, unwanted: (pid: number, packet: number) => boolean): Uint8Array {
  const out = new Uint8Array(ts);
  for (let at = 0; at < out.length; at += PACKET) {
    if (!unwanted(pidOf(out, at), at / PACKET)) continue;
    out.set([0x47, 0x1f, 0xff, 0x10], at);
    out.fill(0xff, at + 4, at + PACKET);
  }
  return out;
}

/** Removes PAT, PMT and SDT of ffmpeg's muxer (PIDs 0, 0x1000, 0x11). */
export function withoutTables(ts: Uint8Array): Uint8Array {
  return without(ts, (pid) => pid === 0 || pid === 0x1000 || pid === 0x11);
}

interface Pes {
  readonly pts: number;
  readonly payload: Uint8Array;
  /** Number of the transport packet it begins in. */
  readonly packet: number;
}

function pesOf(ts: Uint8Array, pid: number): Pes[] {
  const open: { packet: number; chunks: Uint8Array[] }[] = [];
  for (let at = 0; at < ts.length; at += PACKET) {
    if (pidOf(ts, at) !== pid) continue;
    if (startsUnit(ts, at)) open.push({ packet: at / PACKET, chunks: [] });
    open.at(-1)?.chunks.push(payloadAt(ts, at));
  }
  return open.map(({ packet, chunks }) => {
    const bytes = Buffer.concat(chunks);
    const pts =
      (((bytes[9] ?? 0) >> 1) & 7) * 2 ** 30 + ((bytes.readUInt16BE(10) >> 1) << 15) + (bytes.readUInt16BE(12) >> 1);
    return { pts, payload: bytes.subarray(9 + (bytes[8] ?? 0)), packet };
  });
}

function stampOf(pts: number): number[] {
  return [
    0x21 | (Math.floor(pts / 2 ** 30) << 1),
    Math.floor(pts / 2 ** 22) & 0xff,
    ((Math.floor(pts / 2 ** 15) & 0x7f) << 1) | 1,
    Math.floor(pts / 2 ** 7) & 0xff,
    ((pts & 0x7f) << 1) | 1,
  ];
}

/** A PES packet, with a PTS or without, in transport packets of its own. */
function packed(
  pid: number,
  streamId: number,
  pts: number | undefined,
  payload: Uint8Array,
  counter: { value: number },
): Uint8Array {
  const stamp = pts === undefined ? [] : stampOf(pts);
  const length = payload.length + 3 + stamp.length;
  const flags = stamp.length === 0 ? 0 : 0x80;
  const pes = Buffer.concat([
    Uint8Array.of(0, 0, 1, streamId, length >> 8, length & 0xff, 0x80, flags, stamp.length, ...stamp),
    payload,
  ]);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < pes.length; at += 184) {
    const chunk = pes.subarray(at, at + 184);
    const stuffing = 184 - chunk.length;
    const field =
      stuffing === 0 ? [] : stuffing === 1 ? [0] : [stuffing - 1, 0, ...Array<number>(stuffing - 2).fill(0xff)];
    const control = (stuffing === 0 ? 0x10 : 0x30) | (counter.value++ & 15);
    packets.push(
      Buffer.concat([Uint8Array.of(0x47, (at === 0 ? 0x40 : 0) | (pid >> 8), pid & 0xff, control, ...field), chunk]),
    );
  }
  return Buffer.concat(packets);
}

/**
 * Packs an ADTS stream anew so that PES packets hold `bytes` of data whatever frames these are, each stamped with the time
 * of the first frame that begins in it, as ISO/IEC 13818-1 allows and some encoders do.
 */
export function splitAudioFrames(ts: Uint8Array, pid: number, bytes: number): Uint8Array {
  const packets = pesOf(ts, pid);
  const frames = packets.flatMap((pes) => adtsFrames(pes));
  const data = Buffer.concat(packets.map((pes) => pes.payload));
  const [first] = packets;
  if (first === undefined) throw new Error(`no PES packet of PID ${pid}`);
  const replaced: { time: number; bytes: Uint8Array }[] = [];
  const counter = { value: 0 };
  let offset = 0;
  const starts = frames.map((frame) => {
    const at = offset;
    offset += frame.length;
    return { at, pts: frame.pts };
  });
  for (let at = 0; at < data.length; at += bytes) {
    const begins = starts.find((frame) => frame.at >= at && frame.at < at + bytes);
    const time = begins?.pts ?? replaced.at(-1)?.time ?? 0;
    replaced.push({ time, bytes: packed(pid, 0xc0, begins?.pts, data.subarray(at, at + bytes), counter) });
  }
  return interleave(ts, pid, packets, replaced);
}

function adtsFrames(pes: Pes): { length: number; pts: number }[] {
  const frames: { length: number; pts: number }[] = [];
  const { payload } = pes;
  const rates = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000];
  for (let at = 0; at + 7 <= payload.length; ) {
    const length = (((payload[at + 3] ?? 0) & 3) << 11) | ((payload[at + 4] ?? 0) << 3) | ((payload[at + 5] ?? 0) >> 5);
    const rate = rates[((payload[at + 2] ?? 0) >> 2) & 15] ?? 48_000;
    frames.push({ length, pts: Math.round(pes.pts + (frames.length * 1024 * 90_000) / rate) });
    if (length < 7) throw new Error('not ADTS');
    at += length;
  }
  return frames;
}

/** Puts new packets of a PID where the old ones of about the same time were. */
function interleave(
  ts: Uint8Array,
  pid: number,
  old: readonly Pes[],
  fresh: readonly { time: number; bytes: Uint8Array }[],
): Uint8Array {
  const chunks: Uint8Array[] = [];
  let next = 0;
  for (let at = 0; at < ts.length; at += PACKET) {
    if (pidOf(ts, at) !== pid) chunks.push(ts.subarray(at, at + PACKET));
    const pes = old.find((candidate) => candidate.packet === at / PACKET);
    if (pes === undefined) continue;
    for (; next < fresh.length && (fresh[next]?.time ?? 0) <= pes.pts; next++)
      chunks.push(fresh[next]?.bytes ?? new Uint8Array());
  }
  for (; next < fresh.length; next++) chunks.push(fresh[next]?.bytes ?? new Uint8Array());
  return Buffer.concat(chunks);
}

/** Adds elementary streams to ffmpeg's program map (PID 0x1000), e.g. `{ pid: 0x102, type: 0x15 }` for timed ID3. */
export function withStreams(ts: Uint8Array, streams: readonly { pid: number; type: number }[]): Uint8Array {
  const out = new Uint8Array(ts);
  for (let at = 0; at < out.length; at += PACKET) {
    if (pidOf(out, at) !== 0x1000 || !startsUnit(out, at)) continue;
    const body = out.subarray(at + 4, at + PACKET);
    const length = (((body[2] ?? 0) & 0x0f) << 8) | (body[3] ?? 0);
    const entries = streams.flatMap(({ pid, type }) => [type, 0xe0 | (pid >> 8), pid & 0xff, 0xf0, 0]);
    const section = Uint8Array.from([...body.subarray(1, 1 + 3 + length - 4), ...entries, 0, 0, 0, 0]);
    section[1] = 0xb0 | ((section.length - 3) >> 8);
    section[2] = (section.length - 3) & 0xff;
    new DataView(section.buffer).setUint32(section.length - 4, crc(section.subarray(0, section.length - 4)));
    body.fill(0xff);
    body.set([0, ...section]);
  }
  return out;
}

/** A PES packet with private data of a PID, to put between others. */
export function privatePes(pid: number, pts: number, text: string, counter: number): Uint8Array {
  return packed(pid, 0xbd, pts, Buffer.from(text), { value: counter });
}

function crc(bytes: Uint8Array): number {
  let value = 0xffff_ffff;
  for (const byte of bytes) {
    value ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) value = value & 0x8000_0000 ? (value << 1) ^ 0x04c1_1db7 : value << 1;
  }
  return value >>> 0;
}
