/**
 * Gives a video element a recording's HLS: through hls.js, or by itself where the browser plays HLS (iPhones). Owns what happens
 * when loading breaks: it is tried again, from the same time.
 */
import Hls, { type ErrorData, ErrorTypes, Events } from 'hls.js';

export interface Source {
  /** Loads the playlist anew, and goes on where it was: the recording's media may have moved. */
  reload(): void;
  destroy(): void;
}

export interface SourceEvents {
  /** It is broken for now; null when it plays again. */
  onProblem(message: string | null): void;
  /** This browser cannot play it. */
  onUnplayable(message: string): void;
}

const RETRY_MS = 3000;
const MOST_MEDIA_ERRORS = 3;

export function attach(video: HTMLVideoElement, url: string, startSeconds: number, events: SourceEvents): Source {
  if (Hls.isSupported()) return attachHls(video, url, startSeconds, events);
  if (video.canPlayType('application/vnd.apple.mpegurl') !== '') return attachNative(video, url, startSeconds, events);
  events.onUnplayable('This browser cannot play HLS. The recording can be downloaded when it is completed.');
  return { reload: () => {}, destroy: () => {} };
}

function attachHls(video: HTMLVideoElement, url: string, startSeconds: number, events: SourceEvents): Source {
  let hls: Hls | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let mediaErrors = 0;
  const open = (at: number) => {
    hls?.destroy();
    hls = new Hls({
      workerPath: HLS_WORKER_URL,
      startPosition: at,
      // Who watches a running recording may be anywhere in it, its beginning first of all.
      liveSyncMode: 'buffered',
      maxLiveSyncPlaybackRate: 1,
      backBufferLength: 120,
    });
    hls.on(Events.ERROR, (_event, data) => onError(data));
    hls.on(Events.FRAG_BUFFERED, () => events.onProblem(null));
    hls.loadSource(url);
    hls.attachMedia(video);
  };
  const onError = (data: ErrorData) => {
    if (!data.fatal) return;
    if (data.type === ErrorTypes.MEDIA_ERROR && mediaErrors < MOST_MEDIA_ERRORS) {
      mediaErrors++;
      hls?.recoverMediaError();
      return;
    }
    if (data.type === ErrorTypes.NETWORK_ERROR) {
      events.onProblem('The video cannot be loaded.');
      clearTimeout(timer);
      timer = setTimeout(() => open(video.currentTime), RETRY_MS);
      return;
    }
    events.onUnplayable('This browser cannot play the video. Downloading it may help.');
  };
  open(startSeconds);
  return {
    reload: () => open(video.currentTime),
    destroy: () => {
      clearTimeout(timer);
      hls?.destroy();
    },
  };
}

function attachNative(video: HTMLVideoElement, url: string, startSeconds: number, events: SourceEvents): Source {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const abort = new AbortController();
  const { signal } = abort;
  const open = (at: number) => {
    video.src = url;
    video.addEventListener(
      'loadedmetadata',
      () => {
        video.currentTime = at;
      },
      { once: true, signal },
    );
  };
  video.addEventListener(
    'error',
    () => {
      if (video.error?.code === MediaError.MEDIA_ERR_NETWORK) {
        events.onProblem('The video cannot be loaded.');
        timer = setTimeout(() => open(video.currentTime), RETRY_MS);
      } else events.onUnplayable('This browser cannot play the video. Downloading it may help.');
    },
    { signal },
  );
  video.addEventListener('playing', () => events.onProblem(null), { signal });
  open(startSeconds);
  return {
    reload: () => open(video.currentTime),
    destroy: () => {
      clearTimeout(timer);
      abort.abort();
      video.removeAttribute('src');
      video.load();
    },
  };
}
