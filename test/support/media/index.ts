/** What tests use to make and to look at media. One import for all of it; owns nothing itself. */
export { readClock } from './clock.ts';
export { type AudioShape, type Hls, makeHls, type StreamShape } from './make-hls.ts';
export {
  assertFaststart,
  comparePackets,
  fullDecode,
  type Packet,
  type PacketStream,
  packets,
  referenceRemux,
  topLevelBoxes,
} from './packets.ts';
export { chromiumBinary, ffmpeg, ffmpegBinary, ffprobe } from './tools.ts';
