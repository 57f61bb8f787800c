/** What the list shows: which state, which stream, which days. Kept in the address, so that it can be passed on and survives a reload. */
import type { Overview, Recording, Status } from './api.ts';
import { h, icon, on, setText, show } from './dom.ts';
import { startOfDay } from './format.ts';
import { STATUS_WORDS } from './status.ts';

export interface Filter {
  readonly status: Status | null;
  /** The id of a stream, or how it begins. */
  readonly stream: string | null;
  /** `2025-10-05`, in the viewer's own time; both inclusive. */
  readonly from: string | null;
  readonly to: string | null;
}

const STATUSES: readonly Status[] = ['recording', 'processing', 'completed', 'failed'];
const STREAM = /^[0-9a-f][0-9a-f-]{0,35}$/;
const WHOLE_ID = 36;
const DATE = /^\d{4}-\d\d-\d\d$/;

export function readFilter(search: string): Filter {
  const query = new URLSearchParams(search);
  const date = (name: string) => {
    const text = query.get(name);
    return text && DATE.test(text) ? text : null;
  };
  return {
    status: STATUSES.find((status) => status === query.get('status')) ?? null,
    stream: streamOf(query.get('stream') ?? ''),
    from: date('from'),
    to: date('to'),
  };
}

const streamOf = (text: string) => {
  const id = text.trim().toLowerCase();
  return STREAM.test(id) ? id : null;
};

/** What the service is asked for; the rest is looked for in its answers. */
export function toQuery(filter: Filter): Record<string, string> {
  return {
    ...(filter.status && { status: filter.status }),
    ...(filter.stream?.length === WHOLE_ID && { stream_id: filter.stream }),
  };
}

/** Whether recordings have to be searched for that the service itself does not leave out. */
export const isSearched = (filter: Filter): boolean =>
  filter.from !== null || filter.to !== null || (filter.stream !== null && filter.stream.length < WHOLE_ID);

function toSearch(filter: Filter): string {
  const set = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== null);
  return set.length > 0 ? `?${new URLSearchParams(set)}` : '';
}

export const isFiltered = (filter: Filter): boolean => toSearch(filter) !== '';

const dayOf = (text: string) => {
  const [year = 0, month = 1, day = 1] = text.split('-').map(Number);
  return new Date(year, month - 1, day);
};

/** Before its first day nothing older needs to be asked for. */
export function isBefore(filter: Filter, recording: Recording): boolean {
  return filter.from !== null && new Date(recording.started_at) < dayOf(filter.from);
}

export function passes(filter: Filter, recording: Recording): boolean {
  if (filter.status !== null && recording.status !== filter.status) return false;
  if (filter.stream !== null && !recording.stream_id.startsWith(filter.stream)) return false;
  const started = startOfDay(new Date(recording.started_at));
  return (filter.from === null || started >= dayOf(filter.from)) && (filter.to === null || started <= dayOf(filter.to));
}

const NONE: Filter = { status: null, stream: null, from: null, to: null };

/** The controls; `onChange` hears of every change, after the address has it. */
export function filterBar(first: Filter, onChange: (filter: Filter) => void) {
  let filter = first;
  const change = (next: Filter) => {
    filter = next;
    history.replaceState(null, '', `/${toSearch(filter)}`);
    draw();
    onChange(filter);
  };
  const chips = [null, ...STATUSES].map((status) => chip(status, () => change({ ...filter, status })));
  const stream = streamField((value) => change({ ...filter, stream: value }));
  const from = dateField('From', (value) => change({ ...filter, from: value }));
  const to = dateField('To', (value) => change({ ...filter, to: value }));
  const clear = h('button', { type: 'button', class: 'button quiet small' }, icon('close'), 'Clear');
  on(clear, 'click', () => {
    change(NONE);
    chips[0]?.input.focus();
  });
  const draw = () => {
    for (const { status, input } of chips) input.checked = status === filter.status;
    stream.set(filter.stream);
    from.set(filter.from);
    to.set(filter.to);
    show(clear, isFiltered(filter));
  };
  draw();
  const element = h(
    'form',
    { class: 'filters', 'aria-label': 'Filter recordings' },
    h(
      'fieldset',
      { class: 'chips' },
      h('legend', { class: 'visually-hidden' }, 'State'),
      ...chips.map((one) => one.element),
    ),
    h('div', { class: 'dates' }, clear, stream.element, from.element, to.element),
  );
  on(element, 'submit', (event) => event.preventDefault());
  return {
    element,
    clear: () => change(NONE),
    /** How many there are of each state; null where it is not known. */
    setCounts: (counts: Overview['recordings'] | null) => {
      for (const one of chips) one.setCount(one.status && one.status !== 'completed' ? (counts?.[one.status] ?? 0) : 0);
    },
  };
}

function chip(status: Status | null, onChoose: () => void) {
  const input = h('input', { type: 'radio', name: 'status', value: status ?? '' });
  const number = h('span', { class: 'chip-count', hidden: true, 'aria-hidden': 'true' });
  const word = h('span', { class: 'chip-word' }, status === null ? 'All' : STATUS_WORDS[status], number);
  on(input, 'change', onChoose);
  return {
    status,
    input,
    element: h('label', { class: 'chip', 'data-status': status }, input, word),
    setCount: (count: number) => {
      show(number, count > 0);
      setText(number, count.toLocaleString('en'));
    },
  };
}

function streamField(onChange: (value: string | null) => void) {
  const input = h('input', {
    type: 'search',
    class: 'field',
    placeholder: 'Stream id',
    'aria-label': 'Stream id, or how it begins',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: WHOLE_ID,
  });
  on(input, 'input', () => {
    const value = streamOf(input.value);
    const isRight = value !== null || input.value.trim() === '';
    input.setAttribute('aria-invalid', String(!isRight));
    if (isRight) onChange(value);
  });
  return {
    element: h('div', { class: 'search' }, icon('search'), input),
    set: (value: string | null) => {
      // What is being typed is left as it is.
      if (streamOf(input.value) !== value) input.value = value ?? '';
    },
  };
}

function dateField(label: string, onChange: (value: string | null) => void) {
  const input = h('input', { type: 'date', class: 'field' });
  on(input, 'change', () => onChange(DATE.test(input.value) ? input.value : null));
  return {
    element: h('label', { class: 'date' }, h('span', {}, label), input),
    set: (value: string | null) => {
      input.value = value ?? '';
    },
  };
}
