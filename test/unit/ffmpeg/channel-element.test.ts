import { channelElement, withChannelElement } from '../../../lib/ffmpeg/channel-element.ts';

/** Two pairs of loudspeakers, in front and behind, and a comment of one letter. */
const element = [0xa0, 0x98, 0x80, 0x80, 0x04, 0x22, 1, 0x41];

function frame(data: readonly number[], channels = 0): Uint8Array {
  const length = data.length + 7;
  const fixed = [0xff, 0xf1, 0x4c, (channels << 6) | (length >> 11), (length >> 3) & 0xff];
  return Uint8Array.from([...fixed, ((length & 7) << 5) | 0x1f, 0xfc, ...data]);
}

describe('the program config element of AAC', () => {
  const sound = [0x21, 1, 2, 3];

  it('is found at the beginning of a frame that leaves its channels to it', () => {
    expect(channelElement(frame([...element, ...sound])).map((bytes) => [...bytes])).toEqual([element]);
  });

  it.each([
    ['another element', frame(sound)],
    ['channels in the header', frame([...element, ...sound], 2)],
    ['an element that is cut off', frame(element.slice(0, -1))],
    ['no frame', Uint8Array.from(sound)],
    ['nothing', new Uint8Array()],
  ])('is none where there is %s', (_what, payload) => {
    expect(channelElement(payload)).toEqual([]);
  });

  it('is put into a frame without, whose length follows', () => {
    const put = withChannelElement([Uint8Array.from(element)], Buffer.concat([frame(sound), frame(sound)]));
    expect([...put]).toEqual([...frame([...element, ...sound]), ...frame(sound)]);
  });

  it('is not put where the header tells the channels', () => {
    expect([...withChannelElement([Uint8Array.from(element)], frame(sound, 2))]).toEqual([...frame(sound, 2)]);
  });
});
