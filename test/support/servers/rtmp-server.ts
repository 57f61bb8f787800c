/** A streaming server under test, whichever it is. */
export interface RtmpServer {
  /** `rtmp://127.0.0.1:1935/live`; a stream's key follows a slash. */
  readonly url: string;
  /** What it writes into, `{stream_key}/{n}.ts`. */
  readonly hlsFolder: string;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}
