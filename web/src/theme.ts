/** Dark, light, or as the system has it: one button that goes round, remembered on this device. */
import { h, type IconName, icon, on } from './dom.ts';

const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const ICON: Readonly<Record<Theme, IconName>> = { auto: 'auto', light: 'sun', dark: 'moon' };
const KEY = 'theme';

function remembered(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'auto';
  } catch {
    // Storage may be forbidden.
    return 'auto';
  }
}

function apply(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function themeButton(): HTMLElement {
  let theme = remembered();
  const button = h('button', { class: 'button quiet icon-only', type: 'button' });
  const draw = () => {
    apply(theme);
    button.replaceChildren(icon(ICON[theme]));
    button.setAttribute('aria-label', `Colours: ${theme === 'auto' ? 'as the system' : theme}. Change`);
    button.title = `Colours: ${theme === 'auto' ? 'as the system' : theme}`;
  };
  on(button, 'click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It holds for this page, then.
    }
    draw();
  });
  draw();
  return button;
}
