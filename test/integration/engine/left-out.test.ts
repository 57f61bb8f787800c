import { readFile } from 'node:fs/promises';
import { makeHls } from '../../support/media/index.ts';
import { pidOf, privatePes, withStreams } from '../../support/media/ts-tools.ts';
import { compareWays, expectEqual } from './compare.ts';

const AUDIO = 0x101;
const ID3 = { pid: 0x102, type: 0x15 };
const SCTE35 = { pid: 0x103, type: 0x86 };

async function segments(): Promise<Buffer[]> {
  const hls = await makeHls({ seconds: 6, segmentSeconds: 1, bframes: 2, fps: '30000/1001' });
  return await Promise.all(hls.segments.map((path) => readFile(path)));
}

describe('what MP4 cannot carry', () => {
  it('is left out with a warning: timed metadata and cues', async () => {
    const extended = (await segments()).map((bytes, at) =>
      Buffer.concat([withStreams(bytes, [ID3, SCTE35]), privatePes(ID3.pid, 216_000 + 90_000 * at, 'ID3 title', at)]),
    );
    const compared = await compareWays([extended], { maps: ['0:v', '0:a'] });
    expectEqual(compared);
    const warnings = [
      'left out: timed metadata (ID3) (PID 258), which MP4 does not carry',
      'left out: SCTE-35 cues (PID 259), which MP4 does not carry',
    ];
    expect(compared.engine.warnings).toEqual(warnings);
    expect(compared.short.warnings).toEqual(warnings);
  });

  it('does not move the beginning of the recording, even when it comes first', async () => {
    const extended = (await segments()).map((bytes, at) => {
      const named = withStreams(bytes, [ID3]);
      const early = privatePes(ID3.pid, 100_000 + 90_000 * at, 'ID3 title', at);
      return Buffer.concat([named.subarray(0, 188 * 3), early, named.subarray(188 * 3)]);
    });
    const compared = await compareWays([extended], { maps: ['0:v', '0:a'] });
    expect(compared.fromShortWay).toEqual([]);
    expect(compared.streams[1]?.packets[0]?.pts).toBe(0);
  });

  it('is left out with a warning: sound without one intact frame, and the picture is all there', async () => {
    const damaged = (await segments()).map((bytes) => {
      const out = new Uint8Array(bytes);
      for (let at = 0; at < out.length; at += 188) if (pidOf(out, at) === AUDIO) out.fill(0x55, at + 60, at + 188);
      return out;
    });
    const compared = await compareWays([damaged], { maps: ['0:v'] });
    expect(compared.fromShortWay).toEqual([]);
    expect(compared.streams.map((stream) => [stream.codec, stream.packets.length])).toEqual([['h264', 180]]);
    expect(compared.engine.warnings).toEqual([expect.stringMatching(/^left out: AAC \(PID 257\): ffmpeg ended with/)]);
  });
});
