/** A recording that failed, or is tried again: what happened, what to do, and trying again from here. */

import { adviceFor } from './advice.ts';
import { ApiError, type Attention, retryRecording } from './api.ts';
import { command } from './copy.ts';
import { announce, h, icon, on, setText, show } from './dom.ts';

export interface TroublePanel {
  readonly element: HTMLElement;
  update(problem: Attention | null): void;
}

const NOT_ALLOWED = new Set([401, 403]);

/** @param onRetried the recording is being made again */
export function troublePanel(id: string, onRetried: () => void): TroublePanel {
  const title = h('h2', { id: 'trouble-title' });
  const message = h('p');
  const todo = h('p');
  const retry = h('button', { type: 'button', class: 'button' }, icon('retry'), h('span', {}, 'Try again'));
  const refused = h('div', { class: 'trouble-refused', role: 'alert', hidden: true });
  const element = h(
    'section',
    { class: 'trouble', 'aria-labelledby': 'trouble-title', hidden: true },
    icon('warning'),
    h('div', { class: 'trouble-text' }, title, message, todo, refused),
    retry,
  );
  on(retry, 'click', async () => {
    retry.disabled = true;
    retry.setAttribute('aria-busy', 'true');
    show(refused, false);
    try {
      await retryRecording(id);
      announce('The recording is being made again');
      onRetried();
    } catch (error) {
      drawRefusal(refused, id, error);
    } finally {
      retry.disabled = false;
      retry.removeAttribute('aria-busy');
    }
  });
  return {
    element,
    update: (problem) => {
      show(element, problem !== null);
      if (!problem) return;
      const advice = adviceFor(problem.code);
      element.dataset.problem = problem.problem;
      setText(title, advice.title);
      setText(message, `${problem.message.replace(/\.?$/, '.')}${problem.code ? ` (${problem.code})` : ''}`);
      setText(todo, problem.problem === 'failed' ? advice.todo : `It is tried again by itself. ${advice.todo}`);
      show(retry, problem.problem === 'failed');
    },
  };
}

/** Only the services around may ask for it, where the address does not let this browser in: then there is the command. */
function drawRefusal(element: HTMLElement, id: string, error: unknown): void {
  const told = error instanceof ApiError ? error.message : 'It could not be tried again.';
  if (error instanceof ApiError && NOT_ALLOWED.has(error.status))
    element.replaceChildren(
      h('p', {}, `${told}. Ask for it from where webhooks may come from (signed, if WEBHOOK_SECRET is set):`),
      command(`curl -X POST ${location.origin}/recording/${id}/retry`),
    );
  else element.replaceChildren(h('p', {}, told));
  show(element, true);
}
