/** The video with its controls: for mouse, touch and keys. What plays is hls-source.ts, the bar is seekbar.ts. */
import { h, type IconName, icon, on, setText, show } from './dom.ts';
import { clock } from './format.ts';
import { attach, type Source } from './hls-source.ts';
import { type Seekbar, seekbar } from './seekbar.ts';

export interface Player {
  readonly element: HTMLElement;
  readonly video: HTMLVideoElement;
  readonly bar: Seekbar;
  /** Loads the recording, once. */
  load(url: string, startSeconds: number): void;
  /** Goes to a time, and stays paused or playing as it was. */
  seek(seconds: number): void;
  /** Whether the recording goes on: then there is an end to jump to. */
  setLive(live: boolean): void;
  /** What to say instead of a video. */
  setMessage(text: string | null): void;
  leave(): void;
}

const SPEEDS = [1, 1.25, 1.5, 2, 0.5];
/** Behind the end of a running recording, so that there is something to play. */
const BEHIND_LIVE_SECONDS = 4;

export function player(): Player {
  const video = h('video', { playsinline: true, preload: 'metadata', 'aria-label': 'Recording' });
  const big = h('button', { type: 'button', class: 'player-big', 'aria-label': 'Play' }, icon('play'));
  const spinner = h('div', { class: 'spinner', hidden: true, role: 'status', 'aria-label': 'Loading' });
  const message = h('p', { class: 'player-message', hidden: true });
  const bar = seekbar((seconds) => seek(seconds));
  const play = iconButton('play', 'Play');
  const mute = iconButton('volume', 'Mute');
  const full = iconButton('full', 'Full screen');
  const speed = h('button', { type: 'button', class: 'button control', 'aria-label': 'Speed: 1 times' }, '1×');
  const live = h(
    'button',
    { type: 'button', class: 'button control live-button', hidden: true },
    h('span', { class: 'pill-dot', 'aria-hidden': 'true' }),
    'Go to live',
  );
  const now = h('span', { class: 'time-now' }, '0:00');
  const total = h('span', { class: 'time-total' }, '0:00');
  const times = h('span', { class: 'times' }, now, ' / ', total);
  const controls = h(
    'div',
    { class: 'controls', role: 'group', 'aria-label': 'Player' },
    bar.element,
    h(
      'div',
      { class: 'controls-row' },
      play.element,
      mute.element,
      times,
      h('span', { class: 'spring' }),
      live,
      speed,
      full.element,
    ),
  );
  const element = h('div', { class: 'player', 'data-idle': false }, video, spinner, big, message, controls);

  let source: Source | undefined;
  let wanted: number | null = null;
  const duration = () => (Number.isFinite(video.duration) ? video.duration : endOf(video.seekable));
  const draw = () => {
    const current = wanted ?? video.currentTime;
    setText(now, clock(current));
    setText(total, clock(duration()));
    bar.update({ current, duration: duration(), buffered: video.buffered });
  };
  const seek = (seconds: number) => {
    if (video.readyState === 0) return;
    // While one seek runs only the last of the others counts: dragging asks for many.
    wanted = Math.min(Math.max(0, seconds), Math.max(0, duration() - 0.05));
    if (!video.seeking) video.currentTime = wanted;
    draw();
  };
  const toggle = () => {
    if (video.paused) void video.play().catch(() => {});
    else video.pause();
  };
  const drawState = () => {
    play.set(video.paused ? 'play' : 'pause', video.paused ? 'Play' : 'Pause');
    mute.set(video.muted ? 'muted' : 'volume', video.muted ? 'Unmute' : 'Mute');
    show(big, video.paused && video.currentTime < 0.1 && message.hidden);
    element.dataset.paused = String(video.paused);
  };

  on(video, 'timeupdate', draw);
  on(video, 'durationchange', draw);
  on(video, 'progress', draw);
  on(video, 'seeked', () => {
    if (wanted !== null && Math.abs(wanted - video.currentTime) > 0.2) video.currentTime = wanted;
    wanted = null;
    draw();
    drawState();
  });
  for (const name of ['play', 'pause', 'volumechange', 'ended', 'loadedmetadata'] as const) on(video, name, drawState);
  on(video, 'waiting', () => show(spinner, true));
  for (const name of ['playing', 'canplay', 'error', 'seeked'] as const) on(video, name, () => show(spinner, false));
  on(video, 'click', toggle);
  on(big, 'click', () => {
    toggle();
    play.element.focus();
  });
  on(play.element, 'click', toggle);
  on(mute.element, 'click', () => {
    video.muted = !video.muted;
  });
  on(full.element, 'click', () => toggleFull(element, video));
  on(live, 'click', () => {
    seek(duration() - BEHIND_LIVE_SECONDS);
    void video.play().catch(() => {});
  });
  on(speed, 'click', () => {
    video.playbackRate = SPEEDS[(SPEEDS.indexOf(video.playbackRate) + 1) % SPEEDS.length] ?? 1;
    setText(speed, `${video.playbackRate}×`);
    speed.setAttribute('aria-label', `Speed: ${video.playbackRate} times`);
  });
  const stopIdling = hideWhileIdle(element, video);
  const shortcuts = (event: KeyboardEvent) => {
    if (onShortcut(event, { toggle, seek, video, full: () => toggleFull(element, video), duration }))
      event.preventDefault();
  };
  document.addEventListener('keydown', shortcuts);
  drawState();

  return {
    element,
    video,
    bar,
    load: (url, startSeconds) => {
      if (source) return;
      show(spinner, startSeconds > 0);
      source = attach(video, url, startSeconds, {
        onProblem: (problem) => {
          setText(message, problem === null ? '' : `${problem} Trying again…`);
          show(message, problem !== null);
        },
        onUnplayable: (why) => {
          setText(message, why);
          show(message, true);
          show(big, false);
        },
      });
    },
    seek,
    setLive: (isLive) => show(live, isLive),
    setMessage: (text) => {
      setText(message, text ?? '');
      show(message, text !== null);
      show(controls, text === null);
      drawState();
    },
    leave: () => {
      document.removeEventListener('keydown', shortcuts);
      stopIdling();
      source?.destroy();
    },
  };
}

function iconButton(first: IconName, label: string) {
  const element = h(
    'button',
    { type: 'button', class: 'button control icon-only', 'aria-label': label, title: label },
    icon(first),
  );
  let shown = first;
  return {
    element,
    set: (name: IconName, text: string) => {
      if (shown !== name) element.replaceChildren(icon(name));
      shown = name;
      element.setAttribute('aria-label', text);
      element.title = text;
    },
  };
}

const endOf = (ranges: TimeRanges) => (ranges.length > 0 ? ranges.end(ranges.length - 1) : 0);

function toggleFull(element: HTMLElement, video: HTMLVideoElement): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else if (element.requestFullscreen) void element.requestFullscreen().catch(() => {});
  // iPhones give the whole screen to videos only.
  else (video as HTMLVideoElement & { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
}

/** Controls fade while the video plays and nobody points at it. */
function hideWhileIdle(element: HTMLElement, video: HTMLVideoElement): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wake = () => {
    element.dataset.idle = 'false';
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!video.paused && !element.querySelector(':focus-visible')) element.dataset.idle = 'true';
    }, 2500);
  };
  for (const name of ['pointermove', 'pointerdown', 'keydown', 'focusin'] as const) on(element, name, wake);
  on(video, 'play', wake);
  on(video, 'pause', wake);
  return () => clearTimeout(timer);
}

interface Actions {
  toggle(): void;
  seek(seconds: number): void;
  full(): void;
  duration(): number;
  readonly video: HTMLVideoElement;
}

/** The keys that players have everywhere; not while somebody types or uses another control. */
function onShortcut(event: KeyboardEvent, actions: Actions): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const target = event.target instanceof Element ? event.target : document.body;
  if (target.closest('input, textarea, select, [contenteditable]')) return false;
  const onButton = target.closest('button, a, summary') !== null;
  const { video, seek, duration } = actions;
  const done = (action: () => void) => {
    action();
    return true;
  };
  switch (event.key) {
    case ' ':
      return onButton ? false : done(actions.toggle);
    case 'k':
      return done(actions.toggle);
    case 'ArrowLeft':
      return done(() => seek(video.currentTime - 5));
    case 'ArrowRight':
      return done(() => seek(video.currentTime + 5));
    case 'j':
      return done(() => seek(video.currentTime - 10));
    case 'l':
      return done(() => seek(video.currentTime + 10));
    case 'm':
      return done(() => {
        video.muted = !video.muted;
      });
    case 'f':
      return done(actions.full);
    default:
      return /^[0-9]$/.test(event.key) ? done(() => seek((duration() * Number(event.key)) / 10)) : false;
  }
}
