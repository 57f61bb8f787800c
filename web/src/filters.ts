/** What the list shows: which state, which days. Kept in the address, so that it can be passed on and survives a reload. */
import type { Recording, Status } from './api.ts';
import { h, icon, on, show } from './dom.ts';
import { startOfDay } from './format.ts';
import { STATUS_WORDS } from './status.ts';

export interface Filter {
  readonly status: Status | null;
  /** `2025-10-05`, in the viewer's own time; both inclusive. */
  readonly from: string | null;
  readonly to: string | null;
}

const STATUSES: readonly Status[] = ['recording', 'processing', 'completed', 'failed'];
const DATE = /^\d{4}-\d\d-\d\d$/;

export function readFilter(search: string): Filter {
  const query = new URLSearchParams(search);
  const date = (name: string) => {
    const text = query.get(name);
    return text && DATE.test(text) ? text : null;
  };
  return {
    status: STATUSES.find((status) => status === query.get('status')) ?? null,
    from: date('from'),
    to: date('to'),
  };
}

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
  const started = startOfDay(new Date(recording.started_at));
  return (filter.from === null || started >= dayOf(filter.from)) && (filter.to === null || started <= dayOf(filter.to));
}

/** The controls; `onChange` hears of every change, after the address has it. */
export function filterBar(first: Filter, onChange: (filter: Filter) => void) {
  let filter = first;
  const change = (next: Filter) => {
    filter = next;
    history.replaceState(null, '', `/${toSearch(filter)}`);
    draw();
    onChange(filter);
  };
  const choices = [null, ...STATUSES].map((status) => {
    const input = h('input', { type: 'radio', name: 'status', value: status ?? '' });
    on(input, 'change', () => change({ ...filter, status }));
    const word = status === null ? 'All' : STATUS_WORDS[status];
    return { status, input, element: h('label', { class: 'chip' }, input, h('span', {}, word)) };
  });
  const from = dateField('From', (value) => change({ ...filter, from: value }));
  const to = dateField('To', (value) => change({ ...filter, to: value }));
  const clear = h('button', { type: 'button', class: 'button quiet small' }, icon('close'), 'Clear');
  on(clear, 'click', () => {
    change({ status: null, from: null, to: null });
    choices[0]?.input.focus();
  });
  const draw = () => {
    for (const { status, input } of choices) input.checked = status === filter.status;
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
      ...choices.map((choice) => choice.element),
    ),
    h('div', { class: 'dates' }, from.element, to.element, clear),
  );
  on(element, 'submit', (event) => event.preventDefault());
  return { element, clear: () => change({ status: null, from: null, to: null }) };
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
