/**
 * The clock in the picture: the frame number as sixteen black or white boxes along the upper edge, which survive
 * encoding and need no font; where there is one, hours, minutes and seconds too. Owns drawing it (an ffmpeg filter) and reading it (from RGBA pixels).
 */

import { existsSync } from 'node:fs';

const BITS = 16;

/** For people who look at a failed test's file; the tests themselves read the boxes. */
const FONT = '/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf';

/** A white start box, sixteen bits with the lowest first, a black end box, each 1/18 of the width and 1/9 of the height. */
export function clockFilter(): string {
  const box = (slot: number, color: string, when = '') =>
    `drawbox=x=iw*${slot}/18:y=0:w=iw/18:h=ih/9:color=${color}:t=fill${when}`;
  const background = 'drawbox=x=0:y=0:w=iw:h=ih/9:color=black:t=fill';
  const bits = Array.from({ length: BITS }, (_, bit) =>
    box(bit + 1, 'white', `:enable='mod(floor(n/${2 ** bit})\\,2)'`),
  );
  const time = `drawtext=fontfile=${FONT}:text='%{pts\\:hms}':fontsize=h/8:fontcolor=white:box=1:boxcolor=black:x=8:y=h-th-8`;
  return [background, box(0, 'white'), ...bits, ...(existsSync(FONT) ? [time] : [])].join(',');
}

/** The frame number in a picture of `width` × `height` RGBA pixels, or undefined when there is no clock in it. */
export function readClock(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number): number | undefined {
  const isWhite = (slot: number) => {
    const x = Math.floor(((slot + 0.5) * width) / 18);
    const y = Math.floor(height / 18);
    return (rgba[(y * width + x) * 4] ?? 0) > 127;
  };
  if (!isWhite(0) || isWhite(BITS + 1)) return undefined;
  let frame = 0;
  for (let bit = 0; bit < BITS; bit++) if (isWhite(bit + 1)) frame += 2 ** bit;
  return frame;
}
