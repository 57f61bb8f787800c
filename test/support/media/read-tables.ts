/**
 * Reads a finished file's sample tables back into samples, box by box, as ISO/IEC 14496-12 says: the tests' own reader of
 * what the product writes. Owns no leniency: what is not there throws.
 */

export interface TableSample {
  readonly dts: number;
  readonly pts: number;
  readonly size: number;
  readonly sync: boolean;
  /** Position in the file. */
  readonly at: number;
  /** Number of the sample entry, from 1. */
  readonly entry: number;
}

export interface TableTrack {
  readonly handler: string;
  readonly timescale: number;
  readonly mediaDuration: number;
  readonly trackDuration: number;
  readonly entries: readonly string[];
  readonly edits: readonly { readonly duration: number; readonly mediaTime: number }[];
  /** Times of the media, edit list not applied. */
  readonly samples: readonly TableSample[];
}

interface Found {
  readonly type: string;
  readonly body: Buffer;
}

/** `file` begins with the head: ftyp, moov, the header of mdat. */
export function readTables(file: Uint8Array): TableTrack[] {
  const moov = children(Buffer.from(file), true).find((box) => box.type === 'moov');
  if (moov === undefined) throw new Error('no moov');
  return children(moov.body)
    .filter((box) => box.type === 'trak')
    .map((trak) => readTrack(trak.body));
}

function children(bytes: Buffer, isFile = false): Found[] {
  const found: Found[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    // The media is not looked into; its header is 64-bit.
    if (isFile && type === 'mdat') break;
    if (size < 8 || at + size > bytes.length) throw new Error(`box ${type} of ${size} bytes at ${at}`);
    found.push({ type, body: bytes.subarray(at + 8, at + size) });
    at += size;
  }
  return found;
}

function descend(bytes: Buffer, ...path: readonly string[]): Buffer {
  const [type, ...rest] = path;
  if (type === undefined) return bytes;
  const child = children(bytes).find((box) => box.type === type);
  if (child === undefined) throw new Error(`no ${type}`);
  return descend(child.body, ...rest);
}

function maybe(bytes: Buffer, type: string): Buffer | undefined {
  return children(bytes).find((box) => box.type === type)?.body;
}

function readTrack(trak: Buffer): TableTrack {
  const stbl = descend(trak, 'mdia', 'minf', 'stbl');
  const mdhd = descend(trak, 'mdia', 'mdhd');
  const stsd = descend(stbl, 'stsd');
  const elst = descend(trak, 'edts', 'elst');
  return {
    handler: descend(trak, 'mdia', 'hdlr').toString('latin1', 8, 12),
    timescale: mdhd.readUInt32BE(20),
    mediaDuration: Number(mdhd.readBigUInt64BE(24)),
    trackDuration: Number(descend(trak, 'tkhd').readBigUInt64BE(28)),
    entries: children(stsd.subarray(8)).map((entry) => entry.type + entry.body.toString('hex')),
    edits: Array.from({ length: elst.readUInt32BE(4) }, (_, i) => ({
      duration: Number(elst.readBigUInt64BE(8 + i * 20)),
      mediaTime: Number(elst.readBigInt64BE(16 + i * 20)),
    })),
    samples: readSamples(stbl),
  };
}

function pairs(table: Buffer): number[] {
  const rows = Array.from({ length: table.readUInt32BE(4) }, (_, i) => [
    table.readUInt32BE(8 + i * 8),
    table.readInt32BE(12 + i * 8),
  ]);
  return rows.flatMap(([count = 0, value = 0]) => Array<number>(count).fill(value));
}

function readSamples(stbl: Buffer): TableSample[] {
  const durations = pairs(descend(stbl, 'stts'));
  const ctts = maybe(stbl, 'ctts');
  const offsets = ctts === undefined ? durations.map(() => 0) : pairs(ctts);
  const stsz = descend(stbl, 'stsz');
  const count = stsz.readUInt32BE(8);
  const stss = maybe(stbl, 'stss');
  const numbers =
    stss === undefined
      ? undefined
      : Array.from({ length: stss.readUInt32BE(4) }, (_, i) => stss.readUInt32BE(8 + i * 4));
  const sync = numbers === undefined ? undefined : new Set(numbers);
  if (durations.length !== count || offsets.length !== count)
    throw new Error(`${durations.length}, ${offsets.length}, ${count} samples`);
  const samples: TableSample[] = [];
  let dts = 0;
  for (const chunk of chunksOf(stbl)) {
    let at = chunk.at;
    for (let i = 0; i < chunk.samples; i++) {
      const number = samples.length;
      const size = stsz.readUInt32BE(12 + number * 4);
      const pts = dts + (offsets[number] ?? 0);
      samples.push({ dts, pts, size, sync: sync === undefined || sync.has(number + 1), at, entry: chunk.entry });
      dts += durations[number] ?? 0;
      at += size;
    }
  }
  if (samples.length !== count) throw new Error(`${samples.length} samples in chunks, ${count} sizes`);
  return samples;
}

function chunksOf(stbl: Buffer): { at: number; samples: number; entry: number }[] {
  const co64 = descend(stbl, 'co64');
  const stsc = descend(stbl, 'stsc');
  const rows = Array.from({ length: stsc.readUInt32BE(4) }, (_, i) => ({
    first: stsc.readUInt32BE(8 + i * 12),
    samples: stsc.readUInt32BE(12 + i * 12),
    entry: stsc.readUInt32BE(16 + i * 12),
  }));
  return Array.from({ length: co64.readUInt32BE(4) }, (_, i) => {
    const row = rows.findLast((candidate) => candidate.first <= i + 1);
    if (row === undefined) throw new Error(`no row of stsc for chunk ${i + 1}`);
    return { at: Number(co64.readBigUInt64BE(8 + i * 8)), samples: row.samples, entry: row.entry };
  });
}
