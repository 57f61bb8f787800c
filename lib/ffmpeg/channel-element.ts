/**
 * The program config element of AAC (ISO/IEC 14496-3 section 4.4.1.1), which tells the channels where the header of a frame
 * does not. Encoders send it once, in their first frame. Owns finding its bytes, and putting them into another frame.
 */

const PROGRAM_CONFIG = 5;

/** That of the ADTS frame at the beginning of a payload: whole bytes, since it ends aligned. None where it has none. */
export function channelElement(payload: Uint8Array): Uint8Array[] {
  const from = dataOf(payload);
  if (from === undefined) return [];
  const data = payload.subarray(from);
  let bit = 0;
  const read = (bits: number): number => {
    let value = 0;
    for (const end = bit + bits; bit < end; bit++) value = value * 2 + (((data[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
    return value;
  };
  if (read(3) !== PROGRAM_CONFIG) return [];
  // element_instance_tag, object_type, sampling_frequency_index.
  read(4 + 2 + 4);
  const [front, side, back] = [read(4), read(4), read(4)];
  const [lfe, assoc, coupling] = [read(2), read(3), read(4)];
  // mono_mixdown, stereo_mixdown and matrix_mixdown: each a flag, and what it announces.
  for (const announced of [4, 4, 3]) if (read(1) === 1) read(announced);
  bit += (front + side + back + coupling) * 5 + (lfe + assoc) * 4;
  bit = Math.ceil(bit / 8) * 8;
  const comment = read(8);
  const length = bit / 8 + comment;
  return length <= data.length ? [data.slice(0, length)] : [];
}

/** The payload with the element in its first frame, where that one leaves its channels to it. */
export function withChannelElement([element]: readonly Uint8Array[], payload: Uint8Array): Uint8Array {
  const from = dataOf(payload);
  if (from === undefined || element === undefined) return payload;
  const changed = Buffer.concat([payload.subarray(0, from), element, payload.subarray(from)]);
  const [b3 = 0, b4 = 0, b5 = 0] = changed.subarray(3, 6);
  const length = (((b3 & 3) << 11) | (b4 << 3) | (b5 >> 5)) + element.length;
  changed.set([(b3 & 0xfc) | (length >> 11), (length >> 3) & 0xff, ((length & 7) << 5) | (b5 & 0x1f)], 3);
  return changed;
}

/** Where the data of the ADTS frame begins whose channel_configuration is 0; undefined where there is no such frame. */
function dataOf(payload: Uint8Array): number | undefined {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = payload;
  if (b0 !== 0xff || (b1 & 0xf6) !== 0xf0 || (b2 & 1) !== 0 || b3 >> 6 !== 0) return undefined;
  return (b1 & 1) === 0 ? 9 : 7;
}
