/** Copying text: a button that does it and says so, and a command to copy. Works without a secure context as well. */
import { announce, h, icon, on, setText } from './dom.ts';

const SAID_MS = 2000;

/** Whether the text is in the clipboard now. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Pages that came over plain HTTP from another machine have no clipboard of their own: the old way still works there. */
function copyBySelection(text: string): boolean {
  const area = h('textarea', { class: 'visually-hidden', 'aria-hidden': 'true', tabindex: -1 });
  area.value = text;
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return copied;
}

/** Copies what `text` gives at the time of the click; `word` is the element that says `label`, if the button shows words. */
export function copies(button: HTMLButtonElement, text: () => string, label: string, word?: HTMLElement): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  on(button, 'click', async () => {
    const copied = await copyText(text());
    announce(copied ? 'Copied' : 'It could not be copied');
    button.dataset.copied = String(copied);
    if (word) setText(word, copied ? 'Copied' : 'Not copied');
    clearTimeout(timer);
    timer = setTimeout(() => {
      delete button.dataset.copied;
      if (word) setText(word, label);
    }, SAID_MS);
  });
}

/** A small button beside what it copies. */
export function copyButton(text: string, what: string): HTMLButtonElement {
  const button = h(
    'button',
    { type: 'button', class: 'button quiet icon-only small copy', 'aria-label': `Copy ${what}`, title: `Copy ${what}` },
    icon('copy'),
    icon('check'),
  );
  copies(button, () => text, what);
  return button;
}

/** A command as it is typed, with a button to copy it. */
export function command(text: string): HTMLElement {
  return h(
    'div',
    { class: 'command' },
    h('pre', { tabindex: 0, role: 'group', 'aria-label': 'Command' }, h('code', {}, text)),
    copyButton(text, 'the command'),
  );
}
