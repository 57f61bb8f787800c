/** A log-log plot of finishing time over length, as SVG. Pure. */
import { type BenchResult, formatLength } from './bench-results.ts';

interface Point {
  readonly x: number;
  readonly y: number;
}
interface Line {
  readonly label: string;
  readonly colour: string;
  readonly points: readonly Point[];
}

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 70;
const RIGHT = 30;
const TOP = 50;
const BOTTOM = 60;

export function plotBench(bench: BenchResult): string {
  const lines: Line[] = [
    {
      label: 'recording service',
      colour: '#0a7d4f',
      points: bench.lengths.map((length) => ({ x: length.streamSeconds, y: length.finish.seconds })),
    },
    {
      label: 'ffmpeg at the end (short way)',
      colour: '#b3423a',
      points: bench.lengths.flatMap(({ streamSeconds, shortWay }) =>
        shortWay === null ? [] : [{ x: streamSeconds, y: shortWay.seconds }],
      ),
    },
  ];
  const all = lines.flatMap((line) => line.points);
  const xs = range(all.map((point) => point.x));
  const decades = range(all.map((point) => point.y));
  const ys = { from: 10 ** Math.floor(Math.log10(decades.from)), to: 10 ** Math.ceil(Math.log10(decades.to)) };
  const x = scale(xs, LEFT, WIDTH - RIGHT);
  const y = scale(ys, HEIGHT - BOTTOM, TOP);
  const ticks: number[] = [];
  for (let value = ys.from; value <= ys.to * 1.001; value *= 10) ticks.push(value);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 26, 'Seconds from the end of the stream to its MP4', 'start', '#222', 15),
    ...ticks.flatMap((value) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" stroke="#e2e2e2"/>`,
      text(LEFT - 8, y(value) + 4, `${Number(value.toPrecision(2))} s`, 'end', '#555'),
    ]),
    ...bench.lengths.map(({ streamSeconds }) =>
      text(x(streamSeconds), HEIGHT - BOTTOM + 22, formatLength(streamSeconds), 'middle', '#555'),
    ),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, 'length of the stream', 'middle', '#555'),
    ...lines.flatMap((line) => draw(line, x, y)),
    '</svg>',
    '',
  ].join('\n');
}

function draw(line: Line, x: (value: number) => number, y: (value: number) => number): string[] {
  const at = line.points.map((point) => ({ x: round(x(point.x)), y: round(y(point.y)), seconds: point.y }));
  const last = at.at(-1);
  if (last === undefined) return [];
  const path = at.map((point) => `${point.x},${point.y}`).join(' ');
  return [
    `<polyline points="${path}" fill="none" stroke="${line.colour}" stroke-width="2.5"/>`,
    ...at.flatMap((point) => [
      `<circle cx="${point.x}" cy="${point.y}" r="4" fill="${line.colour}"/>`,
      text(point.x, point.y - 10, point.seconds.toFixed(point.seconds < 10 ? 2 : 0), 'middle', line.colour, 12),
    ]),
    text(last.x, last.y + 22, line.label, 'end', line.colour),
  ];
}

function text(x: number, y: number, words: string, anchor: string, colour: string, size = 13): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${colour}" font-size="${size}">${words}</text>`;
}

function range(values: readonly number[]): { from: number; to: number } {
  return { from: Math.min(...values), to: Math.max(...values) };
}

/** Logarithmic; a single value stands in the middle. */
function scale({ from, to }: { from: number; to: number }, start: number, end: number): (value: number) => number {
  const span = Math.log(to / from);
  return (value) => start + (end - start) * (span === 0 ? 0.5 : Math.log(value / from) / span);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
