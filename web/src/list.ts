/** The list: all recordings by day, kept up to date by asking, and what is shown while there is nothing to show. */
import { ApiError, getOverview, listRecordings, type Overview, type Recording } from './api.ts';
import { type Card, card, type Listed } from './card.ts';
import { announce, h, icon, on, reconcile, setText, show } from './dom.ts';
import { type Filter, filterBar, isBefore, isFiltered, isSearched, passes, readFilter, toQuery } from './filters.ts';
import { count, day } from './format.ts';
import { guide } from './guide.ts';
import type { View } from './main.ts';
import { poll } from './poll.ts';
import { STATUS_WORDS } from './status.ts';

const PAGE_SIZE = 60;
/** Days far back are reached page by page; this many recordings are enough of a search. */
const MOST_SEARCHED = 5000;
const LIVE_PAUSE_MS = 3000;
const QUIET_PAUSE_MS = 8000;

interface Day {
  readonly name: string;
  readonly recordings: readonly Listed[];
}

export function listView(): View {
  let filter = readFilter(location.search);
  let pages = 1;
  let known: readonly Recording[] | null = null;
  let overview: Overview | null = null;
  let more = false;
  let left = false;

  const summary = h('p', { class: 'summary' });
  const problem = problemBanner(() => polling.now());
  const days = h('div', { class: 'days' });
  const skeleton = skeletonGrid();
  const empty = h('div', { class: 'empty', hidden: true });
  const moreButton = h('button', { type: 'button', class: 'button', hidden: true }, 'Show older recordings');
  const bar = filterBar(filter, (next) => {
    filter = next;
    pages = 1;
    known = null;
    draw();
    polling.now();
  });
  on(moreButton, 'click', () => {
    pages++;
    moreButton.disabled = true;
    polling.now();
  });
  const element = h(
    'div',
    { class: 'list' },
    h(
      'div',
      { class: 'list-head' },
      h('div', { class: 'list-title' }, h('h1', {}, 'Recordings'), summary),
      bar.element,
    ),
    problem.element,
    skeleton,
    days,
    empty,
    h('div', { class: 'more' }, moreButton),
  );

  const views = new Map<string, ReturnType<typeof daySection>>();
  const draw = () => {
    const shown = (known ?? []).filter((recording) => passes(filter, recording));
    show(skeleton, known === null);
    days.setAttribute('aria-busy', String(known === null));
    reconcile(days, views, known === null ? [] : byDay(shown, overview), (one) => one.name, daySection);
    const isEmpty = known !== null && shown.length === 0;
    show(empty, isEmpty);
    if (isEmpty) drawEmpty(empty, isFiltered(filter), bar.clear);
    show(bar.element, !isEmpty || isFiltered(filter));
    bar.setCounts(overview?.recordings ?? null);
    const live = overview?.recordings.recording ?? 0;
    document.title = live > 0 ? `(${live} live) Recordings` : 'Recordings';
    const words = known === null || isEmpty ? '' : count(shown.length, 'recording') + (more ? ' shown' : '');
    setText(summary, words + (live > 0 ? ` · ${live} live` : ''));
    show(moreButton, more && known !== null);
    moreButton.disabled = false;
  };
  const polling = poll(
    async () => {
      const asked = filter;
      // The list is worth showing without the overview; the banner is for what cannot be shown.
      const [found, told] = await Promise.all([search(asked, pages * PAGE_SIZE), getOverview().catch(() => null)]);
      if (left) return;
      if (asked !== filter) return polling.now();
      overview = told;
      tellChanges(known, found.recordings);
      ({ recordings: known, more } = found);
      problem.hide();
      draw();
    },
    () => (known?.some(isMoving) ? LIVE_PAUSE_MS : QUIET_PAUSE_MS),
    (error) => {
      problem.say(error instanceof ApiError ? error.message : 'The recordings could not be loaded.');
      if (known === null) show(skeleton, false);
    },
  );
  draw();
  return {
    element,
    title: 'Recordings',
    leave: () => {
      left = true;
      polling.stop();
    },
  };
}

const isMoving = (recording: Recording) => recording.status === 'recording' || recording.status === 'processing';

/** The newest recordings that pass, as many as are to be shown. */
async function search(filter: Filter, wanted: number): Promise<{ recordings: Recording[]; more: boolean }> {
  const recordings: Recording[] = [];
  let cursor: string | null = null;
  let looked = 0;
  do {
    const limit = String(isSearched(filter) ? 500 : Math.min(1000, wanted));
    const page = await listRecordings({ ...toQuery(filter), limit, ...(cursor && { cursor }) });
    looked += page.recordings.length;
    recordings.push(...page.recordings.filter((recording) => passes(filter, recording)));
    const last = page.recordings.at(-1);
    cursor = last && isBefore(filter, last) ? null : page.next;
  } while (cursor && recordings.length < wanted && looked < MOST_SEARCHED);
  return { recordings: recordings.slice(0, wanted), more: cursor !== null || recordings.length > wanted };
}

function byDay(recordings: readonly Recording[], overview: Overview | null): Day[] {
  const now = new Date();
  const problems = new Map((overview?.attention ?? []).map((one) => [one.recording_id, one]));
  const listed = recordings.map((recording) => ({ recording, problem: problems.get(recording.id) ?? null }));
  const groups = Map.groupBy(listed, ({ recording }) => day(new Date(recording.started_at), now));
  return [...groups].map(([name, of]) => ({ name, recordings: of }));
}

function daySection(first: Day) {
  const id = `day-${first.name.replaceAll(/\W+/g, '-').toLowerCase()}`;
  const grid = h('ul', { class: 'grid' });
  const cards = new Map<string, Card>();
  const element = h('section', { 'aria-labelledby': id }, h('h2', { id, class: 'day' }, first.name), grid);
  return {
    element,
    update: (next: Day) => reconcile(grid, cards, next.recordings, ({ recording }) => recording.id, card),
  };
}

/** New recordings and changed states are told in words; that time passes is not. */
function tellChanges(before: readonly Recording[] | null, after: readonly Recording[]): void {
  if (before === null) return;
  const states = new Map(before.map((recording) => [recording.id, recording.status]));
  const told = after.flatMap((recording) => {
    const was = states.get(recording.id);
    if (was === undefined) return recording.status === 'recording' ? ['A stream is being recorded'] : [];
    return was === recording.status ? [] : [`A recording is now: ${STATUS_WORDS[recording.status]}`];
  });
  if (told.length > 0) announce(told.join('. '));
}

function drawEmpty(element: HTMLElement, filtered: boolean, clear: () => void): void {
  const kind = filtered ? 'filtered' : 'none';
  if (element.dataset.kind === kind) return;
  element.dataset.kind = kind;
  if (!filtered) {
    element.replaceChildren(guide());
    return;
  }
  const button = h('button', { type: 'button', class: 'button' }, 'Clear the filter');
  on(button, 'click', clear);
  element.replaceChildren(
    icon('film'),
    h('h2', {}, 'Nothing matches'),
    h('p', {}, 'No recording is of this state, this stream and these days.'),
    button,
  );
}

function skeletonGrid(): HTMLElement {
  const cards = Array.from({ length: 8 }, () =>
    h(
      'div',
      { class: 'skeleton' },
      h('div', { class: 'skeleton-picture' }),
      h('div', { class: 'skeleton-line' }),
      h('div', { class: 'skeleton-line short' }),
    ),
  );
  return h('div', { class: 'grid loading', role: 'status', 'aria-label': 'Loading recordings' }, ...cards);
}

/** Says what is wrong and that it is tried again; what was shown before stays. */
export function problemBanner(retry: () => void) {
  const text = h('span');
  const button = h('button', { type: 'button', class: 'button small' }, icon('retry'), 'Try now');
  on(button, 'click', retry);
  const element = h('div', { class: 'banner', role: 'alert', hidden: true }, icon('warning'), text, button);
  return {
    element,
    say: (message: string) => {
      setText(text, `${message} Trying again…`);
      show(element, true);
    },
    hide: () => show(element, false),
  };
}
