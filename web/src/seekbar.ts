/**
 * The bar under the video: where it is, what is loaded, where something is missing, what a clip would take. A slider for
 * mouse, touch, keys and screen readers, with a picture of the time that is pointed at.
 */
import { h, on, setText, show } from './dom.ts';
import { clock, spoken } from './format.ts';
import { paintTile, type Tile, tileAt } from './storyboard.ts';

export interface Mark {
  readonly seconds: number;
  readonly label: string;
}

export interface SeekbarState {
  readonly current: number;
  readonly duration: number;
  readonly buffered: TimeRanges | null;
}

export interface Seekbar {
  readonly element: HTMLElement;
  update(state: SeekbarState): void;
  setTiles(tiles: readonly Tile[]): void;
  setMarks(marks: readonly Mark[]): void;
  setRange(range: { readonly start: number; readonly end: number } | null): void;
}

const STEP_SECONDS = 5;
const LEAP_SECONDS = 60;

/** @param onSeek where to go; while a pointer is held, many times */
export function seekbar(onSeek: (seconds: number) => void): Seekbar {
  const played = h('div', { class: 'seek-played' });
  const loaded = h('div', { class: 'seek-loaded' });
  const range = h('div', { class: 'seek-range', hidden: true });
  const marks = h('div', { class: 'seek-marks' });
  const thumb = h('div', { class: 'seek-thumb' });
  const picture = h('div', { class: 'preview-picture' });
  const time = h('div', { class: 'preview-time' });
  const preview = h('div', { class: 'preview', hidden: true, 'aria-hidden': 'true' }, picture, time);
  const track = h('div', { class: 'seek-track' }, loaded, range, played, marks, thumb);
  const element = h(
    'div',
    { class: 'seek', role: 'slider', tabindex: 0, 'aria-label': 'Position', 'aria-valuemin': 0 },
    preview,
    track,
  );
  let state: SeekbarState = { current: 0, duration: 0, buffered: null };
  let tiles: readonly Tile[] = [];
  let marked: readonly Mark[] = [];
  let selected: { readonly start: number; readonly end: number } | null = null;
  let dragging: number | null = null;

  const percent = (seconds: number) => `${state.duration > 0 ? Math.min(100, (seconds / state.duration) * 100) : 0}%`;
  const secondsAt = (event: PointerEvent) => {
    const box = track.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * state.duration;
  };
  const drawRange = () => {
    show(range, selected !== null);
    if (!selected) return;
    range.style.left = percent(selected.start);
    range.style.width = percent(selected.end - selected.start);
  };
  const drawMarks = () => {
    marks.replaceChildren(
      ...marked.map((mark) => {
        const tick = h('span', { class: 'seek-mark', title: mark.label });
        tick.style.left = percent(mark.seconds);
        return tick;
      }),
    );
  };
  const drawPreview = (seconds: number) => {
    const tile = tileAt(tiles, seconds);
    show(preview, state.duration > 0);
    show(picture, tile !== undefined);
    if (tile) paintTile(picture, tile);
    setText(time, clock(seconds));
    const half = preview.offsetWidth / 2;
    const width = element.clientWidth;
    const x = state.duration > 0 ? (seconds / state.duration) * width : 0;
    preview.style.left = `${Math.min(Math.max(x, half), Math.max(half, width - half))}px`;
  };

  on(element, 'pointerdown', (event) => {
    if (event.button !== 0 || state.duration <= 0) return;
    element.setPointerCapture(event.pointerId);
    dragging = secondsAt(event);
    onSeek(dragging);
  });
  on(element, 'pointermove', (event) => {
    const seconds = secondsAt(event);
    if (dragging !== null) {
      dragging = seconds;
      onSeek(seconds);
    }
    drawPreview(seconds);
  });
  const release = () => {
    dragging = null;
  };
  on(element, 'pointerup', release);
  on(element, 'pointercancel', release);
  on(element, 'pointerleave', () => show(preview, false));
  on(element, 'blur', () => show(preview, false));
  on(element, 'keydown', (event) => {
    const target = keyTarget(event.key, state);
    if (target === null) return;
    event.preventDefault();
    event.stopPropagation();
    onSeek(target);
    drawPreview(target);
  });

  return {
    element,
    update: (next) => {
      const resized = next.duration !== state.duration;
      state = next;
      played.style.width = percent(next.current);
      thumb.style.left = percent(next.current);
      loaded.style.width = percent(loadedUntil(next));
      element.setAttribute('aria-valuemax', String(Math.floor(next.duration)));
      element.setAttribute('aria-valuenow', String(Math.floor(next.current)));
      element.setAttribute('aria-valuetext', `${spoken(next.current)} of ${spoken(next.duration)}`);
      if (resized) {
        drawRange();
        drawMarks();
      }
    },
    setTiles: (next) => {
      tiles = next;
    },
    setMarks: (next) => {
      marked = next;
      drawMarks();
    },
    setRange: (next) => {
      selected = next;
      drawRange();
    },
  };
}

function keyTarget(key: string, { current, duration }: SeekbarState): number | null {
  const by = (seconds: number) => Math.min(duration, Math.max(0, current + seconds));
  switch (key) {
    case 'ArrowLeft':
    case 'ArrowDown':
      return by(-STEP_SECONDS);
    case 'ArrowRight':
    case 'ArrowUp':
      return by(STEP_SECONDS);
    case 'PageDown':
      return by(-LEAP_SECONDS);
    case 'PageUp':
      return by(LEAP_SECONDS);
    case 'Home':
      return 0;
    case 'End':
      return duration;
    default:
      return null;
  }
}

/** The end of what is loaded around the current time. */
function loadedUntil({ current, buffered }: SeekbarState): number {
  for (let at = 0; buffered && at < buffered.length; at++) {
    if (buffered.start(at) <= current + 0.5 && buffered.end(at) >= current) return buffered.end(at);
  }
  return current;
}
