/** Clipping: a start and an end, by the player or typed, and the clips that there are. */
import { ApiError, type Clip, createClip, getClips } from './api.ts';
import { announce, h, icon, on, reconcile, setText, show } from './dom.ts';
import { clock, parseClock, preciseClock, size, spoken } from './format.ts';
import { type Poll, poll } from './poll.ts';

export interface ClipPanel {
  readonly element: HTMLElement;
  /** Seconds that there are to clip. */
  setLength(seconds: number): void;
  /** Begins to ask for clips. */
  start(): void;
  /** Opens the form, and puts the focus there. */
  open(): void;
  leave(): void;
}

export interface ClipHost {
  readonly id: string;
  currentTime(): number;
  seek(seconds: number): void;
  setRange(range: { readonly start: number; readonly end: number } | null): void;
}

const FIRST_LENGTH = 30;
const PENDING_PAUSE_MS = 2000;
/** Others may clip the same recording. */
const QUIET_PAUSE_MS = 30_000;

export function clipPanel(host: ClipHost): ClipPanel {
  let total = 0;
  const start = timeField('Start', host);
  const end = timeField('End', host);
  const title = h('input', {
    class: 'field',
    type: 'text',
    maxlength: 200,
    placeholder: 'Optional',
    autocomplete: 'off',
  });
  const lengthText = h('p', { class: 'clip-length' });
  const problem = h('p', { class: 'field-problem', role: 'alert', hidden: true });
  const submit = h(
    'button',
    { type: 'submit', class: 'button primary' },
    icon('scissors'),
    h('span', {}, 'Create clip'),
  );
  const form = h(
    'form',
    { class: 'clip-form', novalidate: true },
    h('div', { class: 'clip-times' }, start.element, end.element),
    h('label', { class: 'labelled' }, h('span', {}, 'Title'), title),
    problem,
    h('div', { class: 'clip-submit' }, submit, lengthText),
  );
  const items = h('ul', { class: 'clip-list' });
  const none = h(
    'p',
    { class: 'muted' },
    'No clips yet. A clip begins with the key frame at or before its start; nothing is encoded anew.',
  );
  const element = h(
    'section',
    { class: 'panel', 'aria-labelledby': 'clips-title', id: 'clips' },
    h('div', { class: 'panel-head' }, h('h2', { id: 'clips-title' }, 'Clips')),
    form,
    none,
    items,
  );

  const drawRange = () => {
    const [from, to] = [start.value(), end.value()];
    const valid = from !== null && to !== null && to > from;
    host.setRange(valid && touched ? { start: from, end: to } : null);
    setText(lengthText, valid ? `${(to - from).toFixed(1)} s` : '');
  };
  let touched = false;
  const changed = () => {
    touched = true;
    show(problem, false);
    drawRange();
  };
  start.onChange(() => {
    const [from, to] = [start.value(), end.value()];
    if (from !== null && to !== null && to <= from)
      end.set(Math.min(total || from + FIRST_LENGTH, from + FIRST_LENGTH));
    changed();
  });
  end.onChange(changed);

  const views = new Map<string, ReturnType<typeof clipItem>>();
  let clips: readonly Clip[] = [];
  const drawClips = () => {
    show(none, clips.length === 0);
    reconcile(
      items,
      views,
      clips,
      (clip) => clip.id,
      (clip) => clipItem(clip, host),
    );
  };
  let polling: Poll | undefined;
  const begin = () => {
    polling ??= poll(
      async () => {
        clips = await getClips(host.id);
        drawClips();
      },
      () => (clips.some((clip) => clip.status === 'pending') ? PENDING_PAUSE_MS : QUIET_PAUSE_MS),
      () => {},
    );
  };

  on(form, 'submit', async (event) => {
    event.preventDefault();
    const [from, to] = [start.value(), end.value()];
    const wrong = whatIsWrong(from, to);
    if (wrong !== null || from === null || to === null) {
      setText(problem, wrong ?? '');
      show(problem, true);
      (from === null ? start : end).focus();
      return;
    }
    submit.disabled = true;
    submit.setAttribute('aria-busy', 'true');
    announce('The clip is being made');
    try {
      const text = title.value.trim();
      const clip = await createClip(host.id, { start: from, end: to, ...(text === '' ? {} : { title: text }) });
      clips = [clip, ...clips];
      drawClips();
      polling?.now();
      title.value = '';
      announce(clip.status === 'ready' ? 'The clip is ready' : 'The clip will be ready in a while');
      views.get(clip.id)?.flash();
    } catch (error) {
      setText(problem, error instanceof ApiError ? error.message : 'The clip could not be made.');
      show(problem, true);
    } finally {
      submit.disabled = false;
      submit.removeAttribute('aria-busy');
    }
  });

  return {
    element,
    setLength: (seconds) => {
      total = seconds;
      if (touched || seconds <= 0) return;
      start.set(0);
      end.set(Math.min(seconds, FIRST_LENGTH));
      drawRange();
    },
    open: () => {
      const from = Math.max(0, Math.min(host.currentTime(), total - 1));
      start.set(from);
      end.set(Math.min(total, from + FIRST_LENGTH));
      changed();
      element.scrollIntoView({
        block: 'nearest',
        behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth',
      });
      end.focus();
    },
    start: begin,
    leave: () => polling?.stop(),
  };
}

function whatIsWrong(from: number | null, to: number | null): string | null {
  if (from === null) return 'Start: write it as 1:02:03 or in seconds.';
  if (to === null) return 'End: write it as 1:02:03 or in seconds.';
  return to - from < 0.1 ? 'The end has to be later than the start.' : null;
}

function timeField(label: string, host: ClipHost) {
  const input = h('input', {
    class: 'field time-field',
    type: 'text',
    inputmode: 'decimal',
    autocomplete: 'off',
    'aria-label': label,
  });
  const now = h(
    'button',
    { type: 'button', class: 'button small', 'aria-label': `Now: ${label.toLowerCase()} at the player's position` },
    'Now',
  );
  let listener = () => {};
  const set = (seconds: number) => {
    input.value = preciseClock(seconds);
  };
  on(now, 'click', () => {
    set(host.currentTime());
    listener();
  });
  on(input, 'change', () => listener());
  on(input, 'keydown', (event) => {
    const step = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0;
    const value = parseClock(input.value);
    if (step === 0 || value === null) return;
    event.preventDefault();
    set(Math.max(0, value + step * (event.shiftKey ? 10 : 1)));
    listener();
  });
  return {
    element: h('div', { class: 'labelled' }, h('span', {}, label), h('div', { class: 'with-button' }, input, now)),
    value: () => parseClock(input.value),
    set,
    focus: () => {
      input.focus();
      input.select();
    },
    onChange: (next: () => void) => {
      listener = next;
    },
  };
}

function clipItem(first: Clip, host: ClipHost) {
  const name = h('strong');
  const facts = h('span', { class: 'muted' });
  const state = h('span', { class: 'clip-state' });
  const watch = h('button', { type: 'button', class: 'button quiet icon-only small' }, icon('play'));
  const download = h(
    'a',
    { class: 'button quiet icon-only small', href: `/recording/${host.id}/clips/${first.id}/download` },
    icon('download'),
  );
  const element = h('li', { class: 'clip' }, h('div', { class: 'clip-text' }, name, facts, state), watch, download);
  let clip = first;
  on(watch, 'click', () => host.seek(clip.from ?? clip.start));
  return {
    element,
    flash: () => element.classList.add('new'),
    update: (next: Clip) => {
      clip = next;
      const title = next.title ?? `Clip at ${clock(next.start)}`;
      setText(name, title);
      const seconds = next.duration ?? next.end - next.start;
      setText(
        facts,
        `${clock(next.from ?? next.start)} · ${seconds.toFixed(1)} s${next.file_size ? ` · ${size(next.file_size)}` : ''}`,
      );
      setText(
        state,
        next.status === 'ready' ? '' : next.status === 'pending' ? 'Being made…' : (next.error ?? 'Could not be made'),
      );
      element.dataset.status = next.status;
      watch.setAttribute('aria-label', `Show ${title} in the recording`);
      download.setAttribute('aria-label', `Download ${title}, ${spoken(seconds)}`);
      show(download, next.status === 'ready');
    },
  };
}
