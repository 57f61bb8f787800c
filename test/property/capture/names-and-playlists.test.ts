/** Keys and playlists from anywhere: safe values or a typed refusal. */
import fc from 'fast-check';
import { readPlaylist } from '../../../lib/capture/playlist.ts';
import {
  decodeNotificationKey,
  isSegmentName,
  isStreamKey,
  parseObjectKey,
} from '../../../lib/capture/segment-name.ts';
import { ServiceError } from '../../../lib/platform/errors.ts';

const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 60 }));
const part = fc.oneof(anyText, fc.constantFrom('..', '.', '', 'k', 'a1.ts', '%2e%2e', 'x.m3u8', '\\', '\u0000'));

describe('an object key', () => {
  it('of any text yields only names that are safe as one path component', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const parsed = parseObjectKey(parts.join('/'));
        if (parsed.kind === 'ignored') return;
        expect(isStreamKey(parsed.streamKey)).toBe(true);
        for (const name of [parsed.name, parsed.folder ?? 'x']) expect(name).toMatch(/^[^./\\\p{Cc}][^/\\\p{Cc}]*$/u);
        if (parsed.kind === 'segment') expect(isSegmentName(parsed.name)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('comes back from the encoding of notifications', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (key) => {
        expect(decodeNotificationKey(encodeURIComponent(key).replaceAll('%20', '+'))).toBe(key);
      }),
    );
  });

  it('counts the number it was given', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 9 }), (number, zeros) => {
        const parsed = parseObjectKey(`k/segment_${'0'.repeat(zeros)}${number}.ts`);
        expect(parsed).toMatchObject({ kind: 'segment', number });
      }),
    );
  });
});

describe('a playlist', () => {
  const line = fc.oneof(
    anyText,
    fc.constantFrom(
      '#EXTM3U',
      '#EXTINF:2,',
      '#EXT-X-DISCONTINUITY',
      '#EXT-X-ENDLIST',
      '#EXT-X-TARGETDURATION:2',
      'a.ts',
      '#EXT-X-GAP',
      '#EXT-X-MAP:URI="i"',
    ),
    fc
      .tuple(
        fc.constantFrom(
          '#EXTINF:',
          '#EXT-X-MEDIA-SEQUENCE:',
          '#EXT-X-KEY:',
          '#EXT-X-STREAM-INF:',
          '#EXT-X-SKIP:',
          '#EXT-X-PROGRAM-DATE-TIME:',
          '#EXT-X-BYTERANGE:',
        ),
        anyText,
      )
      .map((pair) => pair.join('')),
  );

  it('of any lines is read into safe values or refused with a typed error', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(line, { maxLength: 25 }), (headed, lines) => {
        let playlist: ReturnType<typeof readPlaylist>;
        try {
          playlist = readPlaylist([...(headed ? ['#EXTM3U'] : []), ...lines].join('\n'));
        } catch (error) {
          expect(error).toBeInstanceOf(ServiceError);
          return;
        }
        if (playlist.kind === 'master') return;
        for (const segment of playlist.segments) {
          expect(isSegmentName(segment.name)).toBe(true);
          expect(Number.isSafeInteger(segment.sequence) && segment.sequence >= 0).toBe(true);
          expect(segment.durationSeconds).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of a sliding window numbers its segments as the packager did', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 30 }), fc.boolean(), (first, count, ended) => {
        const entries = Array.from({ length: count }, (_, i) => `#EXTINF:2.000,\nsegment_${first + i}.ts\n`).join('');
        const playlist = readPlaylist(
          `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:${first}\n${entries}${ended ? '#EXT-X-ENDLIST\n' : ''}`,
        );
        if (playlist.kind !== 'media') throw new Error('not media');
        expect(playlist.endList).toBe(ended);
        expect(playlist.segments.map(({ name, sequence }) => name === `segment_${sequence}.ts`)).toEqual(
          Array(count).fill(true),
        );
      }),
      { numRuns: 200 },
    );
  });
});
