/**
 * A cursor over bytes that never reads past its end: every read throws Truncated instead of answering 0 or undefined.
 * Owns numbers and four-character codes; what they mean is the callers'.
 */
import { Corrupt, Truncated } from './errors.ts';

/** Bytes of their own: `slice` of a Node Buffer is a view, and would keep or change the whole of it. */
export function copyOf(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;
  readonly #view: DataView;

  /** Reads `bytes` from `start` up to `end`; positions are those of `bytes`. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    if (start < 0 || end > bytes.length || start > end)
      throw new Truncated(`bytes ${start} to ${end} of ${bytes.length}`);
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.end - this.position;
  }

  /** The position before the next `count` bytes, which are then behind. */
  take(count: number): number {
    const at = this.position;
    if (count > this.end - at) throw new Truncated(`${count} bytes wanted at ${at}, ${this.end - at} there`);
    this.position = at + count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.take(2));
  }

  u24(): number {
    return this.u16() * 256 + this.u8();
  }

  u32(): number {
    return this.#view.getUint32(this.take(4));
  }

  i32(): number {
    return this.#view.getInt32(this.take(4));
  }

  /** 64 bits as a number; more than 2^53 is not a size or time of any recording. */
  u64(): number {
    const value = this.#view.getBigUint64(this.take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Corrupt(`a 64-bit number of ${value}`);
    return Number(value);
  }

  i64(): number {
    const value = this.#view.getBigInt64(this.take(8));
    const limit = BigInt(Number.MAX_SAFE_INTEGER);
    if (value > limit || value < -limit) throw new Corrupt(`a 64-bit number of ${value}`);
    return Number(value);
  }

  fourcc(): string {
    const at = this.take(4);
    return String.fromCharCode(...this.bytes.subarray(at, at + 4));
  }

  slice(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }

  skip(count: number): void {
    this.take(count);
  }

  /** LEB128, at most 53 bits. */
  uvarint(): number {
    // There are millions, nearly all of one to three bytes: without a call a byte.
    const { bytes, position } = this;
    if (position + 3 <= this.end) {
      const first = bytes[position] ?? 0;
      if (first < 0x80) {
        this.position = position + 1;
        return first;
      }
      const second = bytes[position + 1] ?? 0;
      if (second < 0x80) {
        this.position = position + 2;
        return (first & 0x7f) | (second << 7);
      }
      const third = bytes[position + 2] ?? 0;
      if (third < 0x80) {
        this.position = position + 3;
        return (first & 0x7f) | ((second & 0x7f) << 7) | (third << 14);
      }
    }
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new Corrupt('a variable-length number of more than 53 bits');
      if (byte < 0x80) return value;
      scale *= 128;
      if (scale > 2 ** 56) throw new Corrupt('a variable-length number of more than 8 bytes');
    }
  }

  /** Zigzag over LEB128: 0, -1, 1, -2, 2 … */
  svarint(): number {
    const coded = this.uvarint();
    if (coded <= 0x7fff_ffff) return (coded & 1) === 0 ? coded >> 1 : ~(coded >> 1);
    return coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
  }
}
