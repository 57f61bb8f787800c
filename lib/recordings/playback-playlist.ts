/** HLS media playlists (RFC 8216) as text, from what is to be played. Pure; URIs are relative to the playlist's own. */
import type { FragmentPlan } from '../mp4/clip-plan.ts';
import type { PlayableSegment } from './playback-live.ts';

export const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';

/**
 * The captured segments: EVENT without an end while the recording goes on, VOD after. Whoever joins a running one begins at
 * its start.
 */
export function segmentsPlaylist(segments: readonly PlayableSegment[], finished: boolean): string {
  const longestMs = Math.max(1000, ...segments.map((segment) => segment.durationMs));
  const lines = [...head(3, longestMs / 1000, finished), '#EXT-X-MEDIA-SEQUENCE:0', '#EXT-X-DISCONTINUITY-SEQUENCE:0'];
  for (const [at, segment] of segments.entries()) {
    if (segment.startsRun && at > 0) lines.push('#EXT-X-DISCONTINUITY');
    if (segment.startsRun && segment.liveAtMs !== null) {
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(segment.liveAtMs).toISOString()}`);
    }
    lines.push(`#EXTINF:${seconds(segment.durationMs / 1000)},`, `segments/${segment.id}.ts`);
  }
  return end(lines, finished);
}

/** A finished file as fragments. `version` is in every URI: the file may be made anew, and pieces must not mix. */
export function fragmentsPlaylist(plan: FragmentPlan, version: string): string {
  const longest = Math.max(1, ...plan.fragments.map((fragment) => fragment.durationSeconds));
  const lines = [...head(7, longest, true), '#EXT-X-MEDIA-SEQUENCE:0'];
  let layout = -1;
  for (const [at, fragment] of plan.fragments.entries()) {
    if (fragment.layout !== layout) {
      if (at > 0) lines.push('#EXT-X-DISCONTINUITY');
      lines.push(`#EXT-X-MAP:URI="init.mp4?v=${version}&layout=${fragment.layout}"`);
      layout = fragment.layout;
    }
    lines.push(`#EXTINF:${seconds(fragment.durationSeconds)},`, `fragments/${at}.m4s?v=${version}`);
  }
  return end(lines, true);
}

function head(version: number, longestSeconds: number, finished: boolean): string[] {
  return [
    '#EXTM3U',
    `#EXT-X-VERSION:${version}`,
    `#EXT-X-TARGETDURATION:${Math.ceil(longestSeconds)}`,
    `#EXT-X-PLAYLIST-TYPE:${finished ? 'VOD' : 'EVENT'}`,
    '#EXT-X-START:TIME-OFFSET=0,PRECISE=YES',
  ];
}

function end(lines: readonly string[], finished: boolean): string {
  return `${[...lines, ...(finished ? ['#EXT-X-ENDLIST'] : [])].join('\n')}\n`;
}

const seconds = (value: number): string => value.toFixed(3);
