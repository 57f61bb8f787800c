/** The completeness report in words: a verdict first, its figures, and what is missing, one by one. */
import type { Report } from './api.ts';
import { copies } from './copy.ts';
import { h, icon, on, show } from './dom.ts';
import { clock, count, length } from './format.ts';

const REASONS: Readonly<Record<string, string>> = {
  start: 'beginning',
  epoch: 'encoder restarted',
  'discontinuity-tag': 'encoder said so',
  gap: 'after a gap',
  'timestamp-jump': 'timestamps jumped',
  'codec-change': 'other format',
};

export interface ReportPanel {
  readonly element: HTMLElement;
  update(report: Report): void;
}

export function reportPanel(onSeek: (seconds: number) => void): ReportPanel {
  const body = h('div', { class: 'report' });
  const element = h(
    'section',
    { class: 'panel', 'aria-labelledby': 'report-title' },
    h('div', { class: 'panel-head' }, h('h2', { id: 'report-title' }, 'Completeness')),
    body,
  );
  let drawn = '';
  return {
    element,
    update: (report) => {
      const key = JSON.stringify(report);
      if (key === drawn) return;
      drawn = key;
      // Where nothing came there is nothing to count; what went wrong has its own panel.
      show(element, report.status === 'recording' || report.segments.expected + report.left_out.length > 0);
      // What is open stays open.
      const open = [...body.querySelectorAll('details[open]')].map((details) => details.id);
      const details = lists(report, onSeek);
      body.replaceChildren(
        h('div', { class: 'report-columns' }, verdict(report), figures(report)),
        ...(details.length > 0 ? [h('div', { class: 'report-lists' }, ...details)] : []),
      );
      for (const id of open) body.querySelector(`#${id}`)?.setAttribute('open', '');
    },
  };
}

function verdict(report: Report): HTMLElement {
  const missing = report.segments.expected - report.segments.captured;
  const lostMs = report.gaps.reduce((sum, gap) => sum + gap.length_ms, 0);
  const [kind, title, text] = ((): ['good' | 'bad' | 'open', string, string] => {
    if (report.failure)
      return [
        'bad',
        'Not completed',
        report.segments.captured > 0 ? 'What was captured is kept, and plays here.' : 'Nothing was captured.',
      ];
    if (report.complete)
      return ['good', 'Complete', 'Every segment of the broadcast is in the file, and none is damaged.'];
    if (missing > 0)
      return [
        'bad',
        `${count(missing, 'segment')} missing`,
        `About ${length(lostMs)} of the broadcast could not be had.`,
      ];
    if (report.segments.damaged > 0)
      return [
        'bad',
        `${count(report.segments.damaged, 'segment')} damaged`,
        'What is whole of them is in the recording.',
      ];
    if (report.left_out.some((segment) => segment.state === 'unclaimed'))
      return [
        'bad',
        `${count(report.segments.left_out, 'segment')} left out`,
        'They came after the end, and nothing tells whether they are of this broadcast.',
      ];
    if (report.segments.left_out > 0)
      return ['bad', `${count(report.segments.left_out, 'segment')} left out`, 'They carry no media that can be used.'];
    return [
      'open',
      'Nothing missing so far',
      report.status === 'recording' ? 'The broadcast goes on.' : 'The file is being made.',
    ];
  })();
  return h(
    'div',
    { class: `verdict ${kind}` },
    icon(kind === 'bad' ? 'warning' : 'check'),
    h('div', {}, h('strong', {}, title), h('p', {}, text)),
  );
}

function figures(report: Report): HTMLElement {
  const { start, end } = report.av_offset_ms;
  const rows: Array<[string, string | HTMLElement]> = [
    [
      'Segments',
      `${report.segments.captured.toLocaleString('en')} of ${report.segments.expected.toLocaleString('en')}`,
    ],
    ['Media', length(report.media_duration_ms)],
    ['On the clock', onTheClock(report)],
    ['Sound begins', offset(start)],
    ['Sound ends', offset(end)],
    ['SHA-256', report.sha256 === null ? 'not computed yet' : hash(report.sha256)],
  ];
  return h('dl', { class: 'figures' }, ...rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}

/** Positive where the sound comes later than the picture, as a listener would say it. */
function offset(ms: number | null): string {
  if (ms === null) return 'nothing to compare';
  if (ms === 0) return 'with the picture';
  return `${Math.abs(ms)} ms ${ms > 0 ? 'after' : 'before'} the picture`;
}

function onTheClock(report: Report): string {
  if (report.wall_clock_duration_ms !== null) return length(report.wall_clock_duration_ms);
  return report.status === 'recording' ? 'still going' : 'not known';
}

function hash(sha256: string): HTMLElement {
  const button = h(
    'button',
    { type: 'button', class: 'hash', title: `${sha256} (copy)`, 'aria-label': 'Copy the SHA-256' },
    `${sha256.slice(0, 10)}…${sha256.slice(-8)}`,
  );
  copies(button, () => sha256, 'SHA-256');
  return button;
}

function lists(report: Report, onSeek: (seconds: number) => void): HTMLElement[] {
  const found: HTMLElement[] = [];
  if (report.gaps.length > 0)
    found.push(
      list(
        'gaps',
        'Gaps',
        report.gaps.map((gap) => gapRow(gap, onSeek)),
      ),
    );
  const left = report.left_out.map((one) => row(one.name, one.reason ?? one.state));
  if (left.length > 0) found.push(list('left-out', 'Left out', left));
  const damaged = report.damaged.map((one) => row(one.name, one.notes.join('; ') || 'not whole'));
  if (damaged.length > 0) found.push(list('damaged', 'Damaged', damaged));
  if (report.runs.length > 1) {
    const runs = report.runs.map((run) => {
      const pause = run.wall_clock_gap_ms ? `, after ${length(run.wall_clock_gap_ms)}` : '';
      return row(
        clock(run.media_at_ms / 1000),
        `${length(run.duration_ms)}, ${REASONS[run.reason] ?? run.reason}${pause}`,
      );
    });
    found.push(list('runs', 'Stretches', runs));
  }
  if (report.warnings.length > 0)
    found.push(
      list(
        'warnings',
        'Notes',
        report.warnings.map((text) => row('', text)),
      ),
    );
  return found;
}

function gapRow(gap: Report['gaps'][number], onSeek: (seconds: number) => void): HTMLElement {
  const at = gap.media_at_ms / 1000;
  const go = h('button', { type: 'button', class: 'time-link', 'aria-label': `Go to ${clock(at)}` }, clock(at));
  on(go, 'click', () => onSeek(Math.max(0, at - 2)));
  const reasons = gap.reasons.length > 0 ? `: ${gap.reasons.join('; ')}` : '';
  return h('li', {}, go, h('span', {}, `${count(gap.missing, 'segment')}, ${length(gap.length_ms)}${reasons}`));
}

const row = (name: string, text: string) => h('li', {}, h('span', { class: 'row-name' }, name), h('span', {}, text));

function list(id: string, title: string, rows: readonly HTMLElement[]): HTMLElement {
  return h(
    'details',
    { id: `report-${id}`, class: 'report-list' },
    h('summary', {}, title, h('span', { class: 'badge' }, String(rows.length))),
    h('ul', {}, ...rows),
  );
}
