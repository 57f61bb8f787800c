/** Building the page's elements. Text is always text: nothing that came from outside becomes markup. */

export type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined>;

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes (`class`, `aria-…`; true sets an empty one, false and null leave it out) and children. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

export function append(parent: Element, children: readonly Child[]): void {
  for (const child of children) if (child) parent.append(child);
}

export function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

/** Changes only what is different: focus, selection and what a screen reader reads stay. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element: HTMLElement, isShown: boolean): void {
  element.hidden = !isShown;
}

export function on<Name extends keyof HTMLElementEventMap>(
  element: HTMLElement,
  name: Name,
  listener: (event: HTMLElementEventMap[Name]) => void,
  options?: AddEventListenerOptions,
): void {
  element.addEventListener(name, listener, options);
}

const ICONS = {
  back: ['M15 5l-7 7 7 7'],
  play: ['M8 5.5v13l11-6.5z'],
  pause: ['M8 5v14', 'M16 5v14'],
  volume: ['M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z', 'M15.5 9a4 4 0 010 6', 'M18 6.5a7.5 7.5 0 010 11'],
  muted: ['M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z', 'M16 9.5l5 5', 'M21 9.5l-5 5'],
  full: ['M4 9V4h5', 'M15 4h5v5', 'M20 15v5h-5', 'M9 20H4v-5'],
  download: ['M12 4v11', 'M7.5 11l4.5 4.5 4.5-4.5', 'M5 20h14'],
  scissors: [
    'M6 9a3 3 0 100-6 3 3 0 000 6z',
    'M6 21a3 3 0 100-6 3 3 0 000 6z',
    'M20 4L8.1 15.9',
    'M14.5 14.5L20 20',
    'M8.1 8.1L12 12',
  ],
  sound: [
    'M9 18V6l10-2v12',
    'M6.5 20.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5z',
    'M16.5 18.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5z',
  ],
  link: ['M10 14a4 4 0 006 .4l3-3a4 4 0 00-5.7-5.7l-1.2 1.2', 'M14 10a4 4 0 00-6-.4l-3 3A4 4 0 0010.7 18.300l1.2-1.2'],
  check: ['M5 12.5l4.5 4.5L19 7.5'],
  warning: ['M12 4l9 16H3z', 'M12 10v4.5', 'M12 17.200v.100'],
  close: ['M6 6l12 12', 'M18 6L6 18'],
  sun: [
    'M12 16.500a4.5 4.5 0 100-9 4.5 4.5 0 000 9z',
    'M12 2.500v2',
    'M12 19.500v2',
    'M2.5 12h2',
    'M19.5 12h2',
    'M5.3 5.300l1.4 1.4',
    'M17.3 17.300l1.4 1.4',
    'M5.3 18.700l1.4-1.4',
    'M17.3 6.700l1.4-1.4',
  ],
  moon: ['M19.5 14.500A8 8 0 019.5 4.500a8 8 0 1010 10z'],
  auto: ['M12 20.500a8.5 8.5 0 100-17 8.5 8.5 0 000 17z', 'M12 3.500v17', 'M12 7l5.5 0', 'M12 11l8 0', 'M12 15l7.5 0'],
  film: ['M4 5h16v14H4z', 'M8 5v14', 'M16 5v14', 'M4 9.500h4', 'M4 14.500h4', 'M16 9.500h4', 'M16 14.500h4'],
  copy: ['M9 9h11v11H9z', 'M5 15H4V4h11v1'],
  search: ['M11 18a7 7 0 100-14 7 7 0 000 14z', 'M16.200 16.200L20.500 20.500'],
  book: [
    'M5 4.500h11a2.5 2.5 0 012.5 2.500v12.500H7.500A2.5 2.5 0 015 17z',
    'M5 17a2.5 2.5 0 012.5-2.500h11',
    'M9 8.500h5',
  ],
  retry: ['M20 12a8 8 0 11-2.5-5.8', 'M20 3v4.500h-4.5'],
} as const;

export type IconName = keyof typeof ICONS;

/** A picture without meaning of its own: whatever has it, says it in words as well. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  setAttributes(svg, { class: `icon icon-${name}`, viewBox: '0 0 24 24', 'aria-hidden': 'true' });
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

/** Tells people who do not see the page what has changed. */
export function announce(text: string): void {
  const region = document.getElementById('announcements');
  if (region) region.textContent = text;
}

/**
 * Makes the children of `parent` those of `items`, in order; elements of items that stay, stay themselves.
 * @returns the views by key
 */
export function reconcile<Item, View extends { readonly element: HTMLElement; update(item: Item): void }>(
  parent: HTMLElement,
  views: Map<string, View>,
  items: readonly Item[],
  keyOf: (item: Item) => string,
  create: (item: Item) => View,
): void {
  const wanted = new Set(items.map(keyOf));
  for (const [key, view] of views) {
    if (wanted.has(key)) continue;
    view.element.remove();
    views.delete(key);
  }
  let previous: Element | null = null;
  for (const item of items) {
    const key = keyOf(item);
    const view = views.get(key) ?? create(item);
    views.set(key, view);
    view.update(item);
    const place: Element | null = previous ? previous.nextElementSibling : parent.firstElementChild;
    if (place !== view.element) parent.insertBefore(view.element, place);
    previous = view.element;
  }
}
