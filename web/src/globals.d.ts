/** The worker of hls.js, as scripts/build-web.ts has placed it. */
declare const HLS_WORKER_URL: string;
