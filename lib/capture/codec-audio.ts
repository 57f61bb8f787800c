/**
 * Walks the frames of an audio PES payload: what the decoder is configured to, and how long the frames last. Owns
 * ADTS AAC, MPEG audio, (E-)AC-3 and Opus; other codecs stay unknown (null).
 */

export interface AudioConfig {
  /** Equal for equal decoder configurations, e.g. `aac:2:48000:2`. Bit rates are not part of it. */
  fingerprint: string;
  sampleRate: number;
  channels: number | null;
}

export interface AudioFrames {
  config: AudioConfig | null;
  /** Frames that begin in the payload; one that is cut at its end counts, its rest is in the next PES packet. */
  frames: number;
  /** Their duration in 90 kHz ticks, not rounded. */
  duration90k: number;
}

interface Frame {
  bytes: number;
  samples: number;
  config: AudioConfig;
}

type FrameReader = (bytes: Uint8Array, at: number) => Frame | null;

/** Reads all frames of a PES payload, skipping what belongs to a frame that began before it. */
export function readAudioFrames(codec: string, bytes: Uint8Array): AudioFrames {
  const read = READERS[codec];
  const found: AudioFrames = { config: null, frames: 0, duration90k: 0 };
  if (read === undefined) return found;
  for (let at = 0; at < bytes.length; ) {
    const frame = read(bytes, at);
    if (frame === null || frame.bytes <= 0) {
      at++;
      continue;
    }
    found.config ??= frame.config;
    found.frames++;
    found.duration90k += (frame.samples * 90_000) / frame.config.sampleRate;
    at += frame.bytes;
  }
  return found;
}

const AAC_RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

/** adts_frame (ISO/IEC 14496-3, 1.A.2.2). */
function adts(b: Uint8Array, at: number): Frame | null {
  const [b0, b1, b2, b3, b4, b5, b6] = b.subarray(at, at + 7);
  if (b0 !== 0xff || b1 === undefined || (b1 & 0xf6) !== 0xf0) return null;
  if (b2 === undefined || b3 === undefined || b4 === undefined || b5 === undefined || b6 === undefined) return null;
  const sampleRate = AAC_RATES[(b2 >> 2) & 15];
  const bytes = ((b3 & 3) << 11) | (b4 << 3) | (b5 >> 5);
  if (sampleRate === undefined || bytes < 7) return null;
  const channelConfig = ((b2 & 1) << 2) | (b3 >> 6);
  const channels = channelConfig === 0 ? null : channelConfig === 7 ? 8 : channelConfig;
  const fingerprint = `aac:${(b2 >> 6) + 1}:${sampleRate}:${channelConfig}`;
  return { bytes, samples: 1024 * ((b6 & 3) + 1), config: { fingerprint, sampleRate, channels } };
}

const MPEG_RATES = [44100, 48000, 32000];
const BITRATES_1: readonly (readonly number[])[] = [
  [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
];
const BITRATES_2: readonly (readonly number[])[] = [
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/** The header of MPEG-1 and MPEG-2 audio (ISO/IEC 11172-3, 2.4.1.3). */
function mpegAudio(b: Uint8Array, at: number): Frame | null {
  const [b0, b1, b2, b3] = b.subarray(at, at + 4);
  if (b0 !== 0xff || b1 === undefined || b2 === undefined || b3 === undefined || (b1 & 0xe0) !== 0xe0) return null;
  const version = (b1 >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const layer = 4 - ((b1 >> 1) & 3);
  const baseRate = MPEG_RATES[(b2 >> 2) & 3];
  const kbps = (version === 3 ? BITRATES_1 : BITRATES_2)[layer - 1]?.[b2 >> 4];
  if (version === 1 || baseRate === undefined || !kbps) return null;
  const sampleRate = version === 3 ? baseRate : version === 2 ? baseRate / 2 : baseRate / 4;
  const samples = layer === 1 ? 384 : layer === 3 && version !== 3 ? 576 : 1152;
  const slot = layer === 1 ? 4 : 1;
  const bytes = (Math.floor((samples * kbps * 125) / (sampleRate * slot)) + ((b2 >> 1) & 1)) * slot;
  const channels = b3 >> 6 === 3 ? 1 : 2;
  const fingerprint = `mp${layer}:${version}:${sampleRate}:${channels}`;
  return { bytes, samples, config: { fingerprint, sampleRate, channels } };
}

const AC3_RATES = [48000, 44100, 32000];
const AC3_KBPS = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
const AC3_CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];

/** syncframe of AC-3 (ETSI TS 102 366, 4.3) and of E-AC-3 (annex E.1.2), told apart by bsid. */
function ac3(b: Uint8Array, at: number): Frame | null {
  const [b0, b1, b2, b3, b4, b5, b6] = b.subarray(at, at + 7);
  if (b0 !== 0x0b || b1 !== 0x77 || b2 === undefined || b3 === undefined) return null;
  if (b4 === undefined || b5 === undefined || b6 === undefined) return null;
  return b5 >> 3 > 10 ? eac3(b2, b3, b4, b5) : plainAc3(b4, b5, b6);
}

function plainAc3(b4: number, b5: number, b6: number): Frame | null {
  const sampleRate = AC3_RATES[b4 >> 6];
  const kbps = AC3_KBPS[(b4 & 63) >> 1];
  if (sampleRate === undefined || kbps === undefined) return null;
  const acmod = b6 >> 5;
  // lfeon stands behind up to three 2-bit mix levels that depend on acmod.
  const mixBits = ((acmod & 1) === 1 && acmod !== 1 ? 2 : 0) + ((acmod & 4) !== 0 ? 2 : 0) + (acmod === 2 ? 2 : 0);
  const lfe = mixBits > 4 ? 0 : (b6 >> (4 - mixBits)) & 1;
  const words = sampleRate === 44100 ? Math.floor((kbps * 96_000) / 44_100) + (b4 & 1) : (kbps * 96_000) / sampleRate;
  const channels = (AC3_CHANNELS[acmod] ?? 2) + lfe;
  const fingerprint = `ac3:${b5 >> 3}:${sampleRate}:${acmod}.${lfe}`;
  return { bytes: words * 2, samples: 1536, config: { fingerprint, sampleRate, channels } };
}

function eac3(b2: number, b3: number, b4: number, b5: number): Frame | null {
  const bytes = ((((b2 & 7) << 8) | b3) + 1) * 2;
  const halved = b4 >> 6 === 3;
  const rate = AC3_RATES[halved ? (b4 >> 4) & 3 : b4 >> 6];
  if (rate === undefined) return null;
  const sampleRate = halved ? rate / 2 : rate;
  const blocks = halved ? 6 : ([1, 2, 3, 6][(b4 >> 4) & 3] ?? 6);
  const [acmod, lfe] = [(b4 >> 1) & 7, b4 & 1];
  // A dependent substream (strmtyp 1) adds channels to the frame before it and no time.
  const samples = b2 >> 6 === 1 ? 0 : blocks * 256;
  const fingerprint = `eac3:${b5 >> 3}:${sampleRate}:${acmod}.${lfe}`;
  return { bytes, samples, config: { fingerprint, sampleRate, channels: (AC3_CHANNELS[acmod] ?? 2) + lfe } };
}

/** Opus access units behind their control header (ETSI TS 101 154 / opus_control_header), durations from the TOC (RFC 6716, 3.1). */
function opus(b: Uint8Array, at: number): Frame | null {
  const [b0, b1] = b.subarray(at, at + 2);
  if (b0 !== 0x7f || b1 === undefined || (b1 & 0xe0) !== 0xe0) return null;
  let p = at + 2;
  let size = 0;
  for (let byte = 255; byte === 255; ) {
    byte = b[p++] ?? 0;
    size += byte;
  }
  if ((b1 & 0x10) !== 0) p += 2;
  if ((b1 & 0x08) !== 0) p += 2;
  if ((b1 & 0x04) !== 0) p += 1 + (b[p] ?? 0);
  const toc = b[p];
  if (toc === undefined || size === 0) return null;
  const config = toc >> 3;
  const frameSamples =
    config < 12 ? ([480, 960, 1920, 2880][config & 3] ?? 960) : config < 16 ? 480 << (config & 1) : 120 << (config & 3);
  const code = toc & 3;
  const count = code === 0 ? 1 : code === 3 ? (b[p + 1] ?? 1) & 63 : 2;
  const channels = (toc & 4) !== 0 ? 2 : 1;
  return {
    bytes: p - at + size,
    samples: frameSamples * count,
    config: { fingerprint: 'opus:48000', sampleRate: 48_000, channels },
  };
}

const READERS: Readonly<Record<string, FrameReader | undefined>> = {
  aac: adts,
  mp3: mpegAudio,
  ac3,
  eac3: ac3,
  opus,
};
