/**
 * Makes HE-AAC where no encoder for it is at hand: AAC-LC at half the rate, with a spectral band replication element put
 * into each frame (ISO/IEC 14496-3 sections 4.4.2.7 and 4.4.2.8). The upper band is silent, but it is there, so readers
 * see twice the sample rate and frames of 2048 samples. Owns bits; streams are made by make-hls.ts.
 */

/** An ADTS stream of mono AAC-LC as ffmpeg's encoder writes it, made HE-AAC. */
export function withBandReplication(adts: Uint8Array): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let at = 0; at + 7 <= adts.length; ) {
    const length = (((adts[at + 3] ?? 0) & 3) << 11) | ((adts[at + 4] ?? 0) << 3) | ((adts[at + 5] ?? 0) >> 5);
    if (length < 8) throw new Error(`an ADTS frame of ${length} bytes at ${at}`);
    frames.push(extended(adts.subarray(at, at + length)));
    at += length;
  }
  return Buffer.concat(frames);
}

/** Puts a fill element before the frame's end element, `111` and zeros up to the byte. */
function extended(frame: Uint8Array): Uint8Array {
  const bits = [...frame.subarray(7)].flatMap((byte) => Array.from({ length: 8 }, (_, bit) => (byte >> (7 - bit)) & 1));
  const end = bits.lastIndexOf(1) - 2;
  const all = [...bits.slice(0, end), ...fillElement(), 1, 1, 1];
  while (all.length % 8 !== 0) all.push(0);
  const payload = Uint8Array.from({ length: all.length / 8 }, (_, byte) =>
    all.slice(byte * 8, byte * 8 + 8).reduce((value, bit) => value * 2 + bit, 0),
  );
  const length = payload.length + 7;
  const header = new Uint8Array(frame.subarray(0, 7));
  header[3] = ((header[3] ?? 0) & 0xfc) | (length >> 11);
  header[4] = (length >> 3) & 0xff;
  header[5] = ((length & 7) << 5) | ((header[5] ?? 0) & 0x1f);
  return Buffer.concat([header, payload]);
}

function fillElement(): number[] {
  const number = (value: number, bits: number) =>
    Array.from({ length: bits }, (_, bit) => (value >> (bits - 1 - bit)) & 1);
  const bytes = 24;
  // sbr_header: amp_res, start_freq, stop_freq, xover_band, reserved, no extra fields.
  const header = [1, ...number(1, 1), ...number(5, 4), ...number(9, 4), ...number(0, 3), 0, 0, 0, 0];
  // extension_type 13; all zeros behind the header are one envelope of fixed borders with every value at its least.
  const payload = [...number(13, 4), ...header];
  while (payload.length < bytes * 8) payload.push(0);
  // ID_FIL, a count of 15 and more.
  return [...number(6, 3), ...number(15, 4), ...number(bytes - 14, 8), ...payload];
}
