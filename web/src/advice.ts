/** What went wrong, in a few words, and what to do about it: by the code of the failure. */

export interface Advice {
  readonly title: string;
  readonly todo: string;
}

const STORE: Advice = {
  title: 'The object store does not answer',
  todo: 'Bring the store back. Work goes on by itself when it answers; nothing that was captured is lost.',
};
const FFMPEG: Advice = {
  title: 'ffmpeg is missing',
  todo: 'Install ffmpeg or set FFMPEG_PATH on the service. The captured segments wait; then try again.',
};
const STAGED: Advice = {
  title: 'The stored media is not what was captured',
  todo: 'Look at the store: objects below .staging/ are gone or were changed. Then try again.',
};

const BY_CODE: Readonly<Record<string, Advice>> = {
  NO_SEGMENTS: {
    title: 'No segments arrived',
    todo: 'Check that the packager writes .ts segments to the bucket of live segments, in a folder named like the stream key. If they are there by now, try again.',
  },
  STORAGE_UNAVAILABLE: STORE,
  STORAGE_ACCESS_DENIED: {
    title: 'The object store refuses the service',
    todo: 'Correct MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or the policy of the role. Work goes on by itself then.',
  },
  BUCKET_MISSING: {
    title: 'A bucket does not exist',
    todo: 'Create the buckets that MINIO_BUCKET and LIVE_BUCKET name. Work goes on by itself then.',
  },
  SCRATCH_FULL: {
    title: 'The scratch disk is full',
    todo: 'Free space below SCRATCH_DIR. Work goes on by itself then.',
  },
  NOTHING_CARRIED: {
    title: 'Nothing of the stream can be put into MP4',
    todo: 'Send H.264 or HEVC, and AAC, MP3 or AC-3; the reason names what came instead.',
  },
  FFMPEG_MISSING: FFMPEG,
  FFMPEG_NOT_EXECUTABLE: FFMPEG,
  STAGED_SEGMENT_MISSING: STAGED,
  VERIFICATION_FAILED: STAGED,
};

const OTHER: Advice = {
  title: 'The file could not be made',
  todo: 'The log of the service says more; look for this recording’s id. What was captured is kept: try again when the cause is gone.',
};

export const adviceFor = (code: string | null): Advice => BY_CODE[code ?? ''] ?? OTHER;
