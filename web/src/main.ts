/** Which view the address means, and going from one to the other without loading the page anew. */
import { h, icon, setText } from './dom.ts';
import { listView } from './list.ts';
import { themeButton } from './theme.ts';

/** What fills the page, until it is left. */
export interface View {
  readonly element: HTMLElement;
  readonly title: string;
  leave(): void;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

let current: View | undefined;
let shown = '';

async function show(isFirst: boolean): Promise<void> {
  const main = document.getElementById('main');
  if (!main) return;
  const query = new URLSearchParams(location.search);
  const id = query.get('recording');
  const key = id ?? `list${location.search}`;
  // The list keeps its filters in the address itself: its own changes are none of another view.
  if (!isFirst && (key === shown || (id === null && shown.startsWith('list')))) return;
  shown = key;
  current?.leave();
  const view = id && UUID.test(id) ? await openRecording(id, Number(query.get('t') ?? 0)) : listView();
  if (shown !== key) {
    view.leave();
    return;
  }
  current = view;
  document.title = view.title;
  main.replaceChildren(view.element);
  if (!isFirst) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

/** The player is the heavy part: who looks at the list alone does not load it. */
async function openRecording(id: string, seconds: number): Promise<View> {
  const { recordingView } = await import('./recording.ts');
  return recordingView(id, Number.isFinite(seconds) ? seconds : 0);
}

function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = event.target instanceof Element ? event.target.closest('a[data-route]') : null;
  if (!(link instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  if (link.href !== location.href) history.pushState(null, '', link.href);
  void show(false);
}

document.addEventListener('click', followLinks);
addEventListener('popstate', () => void show(false));
document
  .getElementById('top-end')
  ?.append(h('a', { class: 'button quiet', href: '/docs' }, icon('book'), 'API'), themeButton());
show(true).catch((error: unknown) => {
  const message = h('p', { class: 'noscript' });
  setText(message, `The page could not be shown: ${String(error)}`);
  document.getElementById('main')?.replaceChildren(message);
});
