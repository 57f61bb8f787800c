/** One recording in the list: picture, when, how long, how it stands. */
import { adviceFor } from './advice.ts';
import type { Attention, Recording } from './api.ts';
import { h, icon, on, setText, show } from './dom.ts';
import { clock, fullDate, shortId, size, spoken, timeOfDay } from './format.ts';
import { liveDuration, STATUS_WORDS, statusPill } from './status.ts';

/** A recording, and what an operator should know of it. */
export interface Listed {
  readonly recording: Recording;
  readonly problem: Attention | null;
}

export interface Card {
  readonly element: HTMLElement;
  update(listed: Listed): void;
}

/** A running recording's picture is looked for again after so long. */
const PICTURE_MS = 20_000;
/** Where there is no picture yet: then twice as long, and so on. */
const ASK_AGAIN_MS = 4000;

export function card({ recording: first }: Listed): Card {
  const pill = statusPill();
  // Not `hidden`: what is not laid out is not loaded lazily either.
  const picture = h('img', { alt: '', loading: 'lazy', decoding: 'async' });
  const duration = h('span', { class: 'card-duration' });
  const title = h('h3', { class: 'card-title', id: `title-${first.id}` });
  const facts = h('p', { class: 'card-facts' });
  const note = h('p', { class: 'card-note', hidden: true });
  const hint = h('span', { class: 'visually-hidden' });
  const link = h(
    'a',
    { class: 'card', href: `/?recording=${first.id}`, 'data-route': true },
    h('span', { class: 'card-picture' }, icon('film'), picture, pill.element, duration),
    h('span', { class: 'card-text' }, title, facts, note, hint),
  );
  const element = h('li', {}, link);
  let misses = 0;
  on(picture, 'load', () => {
    misses = 0;
    picture.classList.add('there');
  });
  on(picture, 'error', () => {
    misses++;
    picture.classList.remove('there');
  });

  let recording = first;
  let heardAt = Date.now();
  let askedAt = 0;
  const draw = () => {
    const running = recording.status === 'recording';
    const seconds = running ? liveDuration(recording.duration, heardAt, Date.now()) : recording.duration;
    setText(duration, clock(seconds));
    show(duration, recording.status !== 'failed' || recording.duration > 0);
  };
  const askForPicture = () => {
    const again = recording.status === 'recording' || recording.status === 'processing';
    const now = Date.now();
    if (askedAt > 0 && (!again || now - askedAt < PICTURE_MS) && picture.classList.contains('there')) return;
    // Where there is none it may come, but less and less likely.
    if (now - askedAt < ASK_AGAIN_MS * 2 ** Math.min(misses, 6)) return;
    askedAt = now;
    // The same address comes from the browser's memory while the picture is the same.
    picture.src = `/recording/${recording.id}/poster.jpg${again ? `?t=${Math.floor(now / PICTURE_MS)}` : ''}`;
  };
  const timer = setInterval(() => {
    if (!element.isConnected) return clearInterval(timer);
    if (recording.status === 'recording') draw();
  }, 1000);

  return {
    element,
    update: ({ recording: next, problem }) => {
      if (next.duration !== recording.duration || next.status !== recording.status) heardAt = Date.now();
      recording = next;
      const started = new Date(next.started_at);
      pill.update(next.status);
      setText(title, timeOfDay(started));
      link.title = fullDate(started);
      setText(facts, factsOf(next));
      drawNote(note, problem);
      element.dataset.status = next.status;
      setText(hint, `, ${STATUS_WORDS[next.status]}, ${spoken(next.duration)}`);
      draw();
      askForPicture();
    },
  };
}

/** The reason in a few words; the whole of it is on the recording's own page, and under the pointer. */
function drawNote(note: HTMLElement, problem: Attention | null): void {
  show(note, problem !== null);
  if (!problem) return;
  note.dataset.problem = problem.problem;
  const { title } = adviceFor(problem.code);
  const words: Readonly<Record<Attention['problem'], string>> = {
    failed: title,
    retrying: `${title}; trying again`,
    silent: problem.message,
    incomplete: problem.message,
  };
  setText(note, words[problem.problem]);
  note.title = problem.message;
}

function factsOf(recording: Recording): string {
  const stream = `Stream ${shortId(recording.stream_id)}`;
  switch (recording.status) {
    case 'recording':
      return `${stream} · recording now`;
    case 'processing':
      return `${stream} · joining segments`;
    case 'failed':
      return stream;
    case 'completed':
      return `${stream} · ${size(recording.file_size)}`;
  }
}
