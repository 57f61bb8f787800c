/** What can be done with a recording: download it or its sound, clip it, pass it on. */
import type { Recording } from './api.ts';
import { copies } from './copy.ts';
import { h, icon, on, setText, show } from './dom.ts';
import { size } from './format.ts';

export interface ActionHost {
  readonly id: string;
  currentTime(): number;
  clip(): void;
}

const ASK_AGAIN_MS = 4000;

export function actionBar(host: ActionHost) {
  const word = h('span', {}, 'Download');
  const download = h('a', { class: 'button primary', href: `/recording/${host.id}/download` }, icon('download'), word);
  const sound = h('button', { type: 'button', class: 'button' }, icon('sound'), h('span', {}, 'Audio (M4A)'));
  const clip = h('button', { type: 'button', class: 'button' }, icon('scissors'), 'Clip');
  const linkWord = h('span', {}, 'Copy link');
  const link = h('button', { type: 'button', class: 'button' }, icon('link'), linkWord);
  const note = h('p', { class: 'action-note', role: 'status' });
  const element = h('div', { class: 'actions' }, download, clip, sound, link, note);
  on(clip, 'click', () => host.clip());
  copies(link, () => linkTo(host.currentTime()), 'Copy link', linkWord);
  on(sound, 'click', () => void fetchSound(host.id, sound, note));
  return {
    element,
    update: (recording: Recording) => {
      const ready = recording.status === 'completed';
      show(download, ready);
      show(sound, ready);
      setText(word, `Download${recording.file_size > 0 ? ` · ${size(recording.file_size)}` : ''}`);
      show(clip, recording.duration > 0);
    },
  };
}

/** This page, at the time that is shown. */
function linkTo(time: number): string {
  const url = new URL(location.href);
  const seconds = Math.floor(time);
  if (seconds > 0) url.searchParams.set('t', String(seconds));
  else url.searchParams.delete('t');
  return url.href;
}

/** Made when it is first asked for: a redirect means that it is there. */
async function fetchSound(id: string, button: HTMLButtonElement, note: HTMLElement): Promise<void> {
  const url = `/recording/${id}/audio.m4a`;
  button.disabled = true;
  setText(note, '');
  try {
    for (;;) {
      const response = await fetch(url, { redirect: 'manual' });
      if (response.type === 'opaqueredirect') {
        setText(note, '');
        location.assign(url);
        return;
      }
      if (response.status !== 202) {
        const body = (await response.json().catch(() => null)) as { error?: string } | null;
        setText(note, body?.error ?? 'The sound could not be had.');
        return;
      }
      setText(note, 'The sound is being taken out…');
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  } catch {
    setText(note, 'The recording service does not answer.');
  } finally {
    button.disabled = false;
  }
}
