/** What other programs know a recording by: ids and addresses, each with a button to copy it. */
import type { Recording } from './api.ts';
import { copyButton } from './copy.ts';
import { h } from './dom.ts';
import { moment } from './format.ts';

export function detailsPanel() {
  const list = h('dl', { class: 'details' });
  let drawn = '';
  return {
    element: h(
      'section',
      { class: 'panel', 'aria-labelledby': 'details-title' },
      h('div', { class: 'panel-head' }, h('h2', { id: 'details-title' }, 'Details')),
      list,
    ),
    update: (recording: Recording) => {
      const key = JSON.stringify([recording.video_id, recording.completed_at, recording.status]);
      if (key === drawn) return;
      drawn = key;
      const address = (path: string) => `${location.origin}/recording/${recording.id}${path}`;
      const rows = [
        row('Started', moment(new Date(recording.started_at))),
        recording.completed_at && row(wordFor(recording), moment(new Date(recording.completed_at))),
        row('Recording', recording.id, 'the id of the recording'),
        streamRow(recording.stream_id),
        recording.video_id && row('Video', recording.video_id, 'the id of the video'),
        row('HLS', address('/index.m3u8'), 'the address of the playlist', 'index.m3u8'),
        recording.status === 'completed' && row('MP4', address('/download'), 'the address of the file', 'download'),
      ];
      list.replaceChildren(...rows.flatMap((one) => one || []));
    },
  };
}

const wordFor = (recording: Recording) => (recording.status === 'failed' ? 'Given up' : 'Completed');

function row(name: string, value: string, what?: string, shown = value): HTMLElement[] {
  return [
    h('dt', {}, name),
    h('dd', {}, h('span', { title: value }, shown), what !== undefined && copyButton(value, what)),
  ];
}

/** Leads to all recordings of the stream. */
function streamRow(id: string): HTMLElement[] {
  const link = h('a', { href: `/?stream=${id}`, 'data-route': true, title: 'All recordings of this stream' }, id);
  return [h('dt', {}, 'Stream'), h('dd', {}, link, copyButton(id, 'the id of the stream'))];
}
