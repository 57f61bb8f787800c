/** Looking again and again: at once, then after a pause, not while nobody sees the page, slower while it fails. */

export interface Poll {
  /** Looks now. */
  now(): void;
  stop(): void;
}

const SLOWEST_MS = 30_000;

/**
 * Calls `look` until stopped, one call at a time.
 * @param pauseMs the pause until the next look, asked after each
 */
export function poll(look: () => Promise<void>, pauseMs: () => number, onError: (error: unknown) => void): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  let looking = false;
  let again = false;
  let failures = 0;
  const run = async () => {
    clearTimeout(timer);
    if (stopped || document.hidden) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    again = false;
    try {
      await look();
      failures = 0;
    } catch (error) {
      failures++;
      if (!stopped) onError(error);
    }
    looking = false;
    if (stopped) return;
    const pause = again ? 0 : Math.min(SLOWEST_MS, pauseMs() * 2 ** Math.min(failures, 4));
    timer = setTimeout(run, pause);
  };
  const onVisible = () => {
    if (!document.hidden) void run();
  };
  document.addEventListener('visibilitychange', onVisible);
  void run();
  return {
    now: () => void run(),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    },
  };
}
