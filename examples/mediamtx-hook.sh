#!/bin/sh
# What MediaMTX runs when a stream begins and when it is over: tells the recorder, and while the stream is live writes it to
# disk as HLS, {HLS_FOLDER}/{stream key}/0.ts … index.m3u8. MediaMTX sends nothing itself and keeps its own HLS in memory.
set -eu
event=$1
key=${MTX_PATH##*/}

curl -fsS --max-time 10 --retry 5 --retry-connrefused -o /dev/null "$RECORDER_HOOK" \
  --data-urlencode "event=$event" --data-urlencode "path=$MTX_PATH" \
  --data-urlencode "source_type=$MTX_SOURCE_TYPE" --data-urlencode "source_id=$MTX_SOURCE_ID" \
  --data-urlencode "time=$(date -u +%Y-%m-%dT%H:%M:%SZ)" &

[ "$event" = ready ] || { wait; exit 0; }
mkdir -p "$HLS_FOLDER/$key"
exec ffmpeg -nostdin -v error -rtsp_transport tcp -i "rtsp://127.0.0.1:$RTSP_PORT/$MTX_PATH" -c copy \
  -f hls -hls_time 2 -hls_list_size 30 -hls_flags delete_segments+temp_file \
  -hls_segment_filename "$HLS_FOLDER/$key/%d.ts" "$HLS_FOLDER/$key/index.m3u8"
