/** What the list shows before there is any recording: how to get the first one. */
import { command } from './copy.ts';
import { h, icon } from './dom.ts';

const LOCAL = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const DEFAULT_PORT = '8083';

export function guide(): HTMLElement {
  const steps = [
    ...(LOCAL.test(location.hostname) ? [tryIt()] : []),
    h(
      'li',
      {},
      h('h3', {}, 'Record your own streams'),
      h(
        'p',
        {},
        'Let the packager write HLS segments to the bucket ',
        h('code', {}, 'live-segments'),
        ', in a folder named like the stream key, and tell the service of the start. The end is the same with ',
        h('code', {}, 'stream.ended'),
        '.',
      ),
      command(startedCommand()),
    ),
  ];
  return h(
    'div',
    { class: 'guide' },
    icon('film'),
    h('h2', {}, 'No recordings yet'),
    h('p', { class: 'guide-lead' }, 'A recording begins by itself when a stream goes live, and appears here at once.'),
    h('ol', { class: 'guide-steps' }, ...steps),
    h(
      'p',
      { class: 'muted' },
      'nginx-rtmp, SRS and MediaMTX can call the service themselves: see ',
      h('code', {}, 'docs/STREAMING-SERVERS.md'),
      '. All routes: ',
      h('a', { href: '/docs' }, 'API'),
      '.',
    ),
  );
}

function tryIt(): HTMLElement {
  const port = location.port && location.port !== DEFAULT_PORT ? `PORT=${location.port} ` : '';
  return h(
    'li',
    {},
    h('h3', {}, 'Try it'),
    h(
      'p',
      {},
      'In a second terminal, in the folder of the service. It records a test stream of 20 s, and you can watch it here while it runs.',
      port ? ' If S3_PORT was set for npm start, set it here too.' : '',
    ),
    command(`${port}npm run demo`),
  );
}

function startedCommand(): string {
  const body = {
    event: 'stream.started',
    stream_id: uuid(),
    stream_key: 'my-stream',
    user_id: uuid(),
    timestamp: new Date().toISOString().replace(/\.\d+/, ''),
  };
  return `curl -X POST ${location.origin}/webhook/stream \\
  -H 'content-type: application/json' \\
  -d '${JSON.stringify(body)}'`;
}

/** `crypto.randomUUID` is there in secure contexts only. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}
