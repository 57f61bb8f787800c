/** One recording: player, clips, what it consists of, how complete it is. Kept up to date while it changes. */

import { actionBar } from './actions.ts';
import {
  ApiError,
  type Attention,
  getOverview,
  getRecording,
  getReport,
  getSegments,
  type Recording,
  type Report,
} from './api.ts';
import { clipPanel } from './clips.ts';
import { detailsPanel } from './details.ts';
import { announce, h, icon, on, setText, show } from './dom.ts';
import { clock, count, day, length, shortId, size, timeOfDay, timeToSecond } from './format.ts';
import { problemBanner } from './list.ts';
import type { View } from './main.ts';
import { player } from './player.ts';
import { poll } from './poll.ts';
import { reportPanel } from './report.ts';
import { STATUS_WORDS, statusPill } from './status.ts';
import { loadStoryboard } from './storyboard.ts';
import { timeline } from './timeline.ts';
import { troublePanel } from './trouble.ts';

const MOVING_PAUSE_MS = 3000;
/** The hash and the last pictures come a little after the file. */
const SETTLING_PAUSE_MS = 6000;
const SETTLED_PAUSE_MS = 60_000;
const PICTURES_MS = 15_000;

export function recordingView(id: string, startSeconds: number): View {
  const title = h('h1', {}, '\u00a0');
  const pill = statusPill();
  const facts = h('p', { class: 'facts' });
  const video = player();
  const seek = (seconds: number) => {
    video.seek(seconds);
    video.element.scrollIntoView({ block: 'nearest' });
  };
  const strip = timeline(seek);
  const completeness = reportPanel(seek);
  const clips = clipPanel({
    id,
    currentTime: () => video.video.currentTime,
    seek: (seconds) => {
      seek(seconds);
      void video.video.play().catch(() => {});
    },
    setRange: (range) => video.bar.setRange(range),
  });
  const actions = actionBar({ id, currentTime: () => video.video.currentTime, clip: () => clips.open() });
  const problem = problemBanner(() => polling.now());
  const trouble = troublePanel(id, () => polling.now());
  const details = detailsPanel();
  const element = h(
    'article',
    { class: 'recording', 'aria-busy': 'true' },
    h('a', { class: 'back', href: '/', 'data-route': true }, icon('back'), 'All recordings'),
    problem.element,
    h(
      'div',
      { class: 'recording-columns' },
      h(
        'div',
        { class: 'recording-main' },
        trouble.element,
        video.element,
        h(
          'div',
          { class: 'recording-head' },
          h('div', { class: 'recording-title' }, h('div', { class: 'title-line' }, title, pill.element), facts),
          actions.element,
        ),
        strip.element,
        completeness.element,
      ),
      h('div', { class: 'recording-side' }, clips.element, details.element),
    ),
  );
  on(video.video, 'timeupdate', () => strip.setPosition(video.video.currentTime));

  let left = false;
  let recording: Recording | undefined;
  let report: Report | undefined;
  const draw = (next: Recording) => {
    const before = recording?.status;
    // Only of a recording that there is, more is asked for.
    if (!recording) {
      video.video.poster = `/recording/${id}/poster.jpg`;
      clips.start();
    }
    recording = next;
    const started = new Date(next.started_at);
    setText(title, `${day(started)}, ${timeOfDay(started)}`);
    pill.update(next.status);
    setText(facts, factsOf(next, report));
    video.setLive(next.status === 'recording');
    actions.update(next);
    details.update(next);
    document.title = `${day(started)}, ${timeOfDay(started)} · ${STATUS_WORDS[next.status]}`;
    element.setAttribute('aria-busy', 'false');
    if (before && before !== next.status) announce(`The recording is now: ${STATUS_WORDS[next.status]}`);
  };
  const drawReport = async () => {
    const [next, { segments, total }] = await Promise.all([getReport(id), getSegments(id)]);
    report = next;
    completeness.update(next);
    strip.update(next, segments, total);
    clips.setLength(next.media_duration_ms / 1000);
    const hasMedia = next.segments.captured > 0;
    for (const part of [clips.element, strip.element]) show(part, hasMedia);
    show(video.element, hasMedia || next.status === 'recording' || next.status === 'processing');
    trouble.update(await troubleOf(id, next));
    video.bar.setMarks(
      next.gaps.map((gap) => ({ seconds: gap.media_at_ms / 1000, label: `${count(gap.missing, 'segment')} missing` })),
    );
    if (hasMedia) {
      video.setMessage(null);
      video.load(`/recording/${id}/index.m3u8`, startSeconds);
    } else video.setMessage(whyNothing(next));
  };
  let picturesAt = 0;
  const drawPictures = async () => {
    if (Date.now() - picturesAt < PICTURES_MS) return;
    picturesAt = Date.now();
    video.bar.setTiles(await loadStoryboard(id));
  };
  const polling = poll(
    async () => {
      const now = await getRecording(id);
      if (left) return;
      draw(now);
      await drawReport();
      if (left) return;
      draw(now);
      problem.hide();
      await drawPictures();
    },
    () => pauseOf(recording, report),
    (error) => {
      if (error instanceof ApiError && error.status === 404) {
        polling.stop();
        showMissing(element);
      } else problem.say(error instanceof ApiError ? error.message : 'The recording could not be loaded.');
    },
  );
  show(problem.element, false);
  return {
    element,
    title: 'Recording',
    leave: () => {
      left = true;
      polling.stop();
      clips.leave();
      video.leave();
    },
  };
}

/** The report knows why one failed; what is tried again, only the overview. */
async function troubleOf(id: string, report: Report): Promise<Attention | null> {
  if (report.failure) return { recording_id: id, problem: 'failed', ...report.failure };
  if (report.status !== 'recording' && report.status !== 'processing') return null;
  const { attention } = await getOverview();
  return attention.find((one) => one.recording_id === id && one.problem === 'retrying') ?? null;
}

function pauseOf(recording: Recording | undefined, report: Report | undefined): number {
  if (!recording || recording.status === 'recording' || recording.status === 'processing') return MOVING_PAUSE_MS;
  const endedAgo = Date.now() - new Date(recording.completed_at ?? 0).getTime();
  return report?.sha256 === null && endedAgo < 600_000 ? SETTLING_PAUSE_MS : SETTLED_PAUSE_MS;
}

function factsOf(recording: Recording, report: Report | undefined): string {
  const started = `started ${timeToSecond(new Date(recording.started_at))}`;
  const parts = [`Stream ${shortId(recording.stream_id)}`, started];
  const ms = recording.status === 'completed' || !report ? recording.duration * 1000 : report.media_duration_ms;
  if (ms > 0) parts.push(recording.status === 'recording' ? `${clock(ms / 1000)} so far` : length(ms));
  if (recording.file_size > 0) parts.push(size(recording.file_size));
  return parts.join(' · ');
}

function whyNothing(report: Report): string {
  if (report.failure) return report.failure.message;
  if (report.status === 'recording') return 'Waiting for the first segment of the stream…';
  return 'Nothing of this recording can be played.';
}

function showMissing(element: HTMLElement): void {
  element.setAttribute('aria-busy', 'false');
  element.replaceChildren(
    h(
      'div',
      { class: 'empty' },
      icon('film'),
      h('h1', {}, 'No such recording'),
      h('p', {}, 'It may have been deleted, or the address is not whole.'),
      h('a', { class: 'button', href: '/', 'data-route': true }, 'All recordings'),
    ),
  );
}
