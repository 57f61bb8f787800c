/** A recording's state as a pill: colour, shape and word say the same. */
import type { Status } from './api.ts';
import { h } from './dom.ts';

export const STATUS_WORDS: Readonly<Record<Status, string>> = {
  recording: 'Live',
  processing: 'Processing',
  completed: 'Completed',
  failed: 'Failed',
};

export function statusPill(): { readonly element: HTMLElement; update(status: Status): void } {
  const word = h('span');
  const element = h('span', { class: 'pill' }, h('span', { class: 'pill-dot', 'aria-hidden': 'true' }), word);
  return {
    element,
    update: (status) => {
      if (element.dataset.status === status) return;
      element.dataset.status = status;
      word.textContent = STATUS_WORDS[status];
    },
  };
}

/** Seconds that a running recording has, between two answers of the service: it grows as time does. */
export function liveDuration(seconds: number, heardAt: number, now: number): number {
  // The service counts what is captured, every ten seconds: further than that is not known.
  return seconds + Math.min(10, Math.max(0, (now - heardAt) / 1000));
}
