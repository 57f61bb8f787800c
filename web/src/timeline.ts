/**
 * All of a recording as one strip: its segments, where the timestamps begin anew, and what is missing, in its place and as
 * long as it was. The same in words for who cannot see it.
 */
import type { Report, Segment } from './api.ts';
import { h, on, setText, show } from './dom.ts';
import { clock, count, length } from './format.ts';

/** More separators than this are a grey field. */
const MOST_SEPARATORS = 240;
const MOST_STOPS = 30;
/** A gap is never too narrow to be seen and hit. */
const LEAST_GAP_SHARE = 0.006;

interface Block {
  readonly kind: 'media' | 'gap';
  readonly share: number;
  readonly start: number;
  readonly seconds: number;
  readonly label: string;
  readonly separators: readonly number[];
}

export interface Timeline {
  readonly element: HTMLElement;
  update(report: Report, segments: readonly Segment[], total: number): void;
  setPosition(seconds: number): void;
}

export function timeline(onSeek: (seconds: number) => void): Timeline {
  const strip = h('div', { class: 'strip-blocks' });
  const position = h('div', { class: 'strip-position', 'aria-hidden': 'true' });
  const holder = h('div', { class: 'strip' }, strip, position);
  const legend = h('p', { class: 'legend' });
  const element = h(
    'section',
    { class: 'panel', 'aria-labelledby': 'timeline-title' },
    h('div', { class: 'panel-head' }, h('h2', { id: 'timeline-title' }, 'Segments'), legend),
    holder,
  );
  let blocks: Block[] = [];
  let drawn = '';
  const draw = () => {
    strip.replaceChildren(
      ...blocks.map((block) => {
        const button = h('button', {
          type: 'button',
          class: `block ${block.kind}`,
          'aria-label': block.label,
          title: block.label,
        });
        // A long row of stops is no help on the keyboard: gaps are in the report as well.
        if (blocks.length > MOST_STOPS) button.tabIndex = -1;
        button.style.flexGrow = String(block.share);
        for (const at of block.separators) {
          const line = h('span', { class: 'separator' });
          line.style.left = `${at * 100}%`;
          button.append(line);
        }
        on(button, 'click', (event) => {
          const box = button.getBoundingClientRect();
          // From the keyboard there is no place: the block's beginning.
          const within = event.detail === 0 ? 0 : (event.clientX - box.left) / box.width;
          onSeek(block.start + (block.kind === 'media' ? within * block.seconds : 0));
        });
        return button;
      }),
    );
  };
  return {
    element,
    update: (report, segments, total) => {
      const next = layOut(report, total <= MOST_SEPARATORS ? segments : []);
      const key = JSON.stringify(next);
      if (key === drawn) return;
      drawn = key;
      blocks = next;
      draw();
      setText(legend, describe(report));
      show(holder, blocks.length > 0);
    },
    setPosition: (seconds) => {
      const place = placeOf(blocks, seconds);
      show(position, place !== null);
      if (place !== null) position.style.left = `${place * 100}%`;
    },
  };
}

/** Media between gaps, gaps at their place: shares of the whole strip. */
function layOut(report: Report, segments: readonly Segment[]): Block[] {
  const mediaMs = report.media_duration_ms;
  if (mediaMs <= 0) return [];
  const gaps = report.gaps.toSorted((a, b) => a.media_at_ms - b.media_at_ms);
  const wholeMs = mediaMs + gaps.reduce((sum, gap) => sum + gap.length_ms, 0);
  const cuts = [...gaps.map((gap) => gap.media_at_ms), mediaMs];
  const starts = segments.map((segment) => segment.start);
  const blocks: Block[] = [];
  let fromMs = 0;
  for (const [at, toMs] of cuts.entries()) {
    if (toMs > fromMs) {
      const [from, to] = [fromMs / 1000, toMs / 1000];
      const separators = starts
        .filter((start) => start > from + 0.05 && start < to - 0.05)
        .map((start) => (start - from) / (to - from));
      const label = `Recorded from ${clock(from)} to ${clock(to)}. Go there`;
      blocks.push({
        kind: 'media',
        share: (toMs - fromMs) / wholeMs,
        start: from,
        seconds: to - from,
        label,
        separators,
      });
    }
    const gap = gaps[at];
    if (gap) {
      const label = `${count(gap.missing, 'segment')} missing at ${clock(gap.media_at_ms / 1000)}, ${length(gap.length_ms)}. Go there`;
      const share = Math.max(LEAST_GAP_SHARE, gap.length_ms / wholeMs);
      blocks.push({ kind: 'gap', share, start: gap.media_at_ms / 1000, seconds: 0, label, separators: [] });
    }
    fromMs = Math.max(fromMs, toMs);
  }
  return blocks;
}

function placeOf(blocks: readonly Block[], seconds: number): number | null {
  const whole = blocks.reduce((sum, block) => sum + block.share, 0);
  let before = 0;
  for (const block of blocks) {
    if (block.kind === 'media' && seconds >= block.start && seconds <= block.start + block.seconds + 0.25) {
      const within = block.seconds > 0 ? Math.min(1, (seconds - block.start) / block.seconds) : 0;
      return (before + block.share * within) / whole;
    }
    before += block.share;
  }
  return null;
}

function describe(report: Report): string {
  const { captured, expected } = report.segments;
  const missing = expected - captured;
  const parts = [count(captured, 'segment')];
  if (missing > 0) parts.push(`${missing.toLocaleString('en')} missing`);
  if (report.runs.length > 1) parts.push(count(report.runs.length, 'stretch', 'stretches'));
  return parts.join(' · ');
}
