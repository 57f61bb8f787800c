/** `npm run demo` as a user runs it: what it prints and how it ends. */
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeHls } from '../support/media/index.ts';
import { findNginxRtmp } from '../support/servers/nginx-rtmp.ts';
import { waitFor } from '../support/wait.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** On a port at which nobody answers, so that the demo starts a service of its own. */
function runDemo(
  words: readonly string[],
  onOutput: (output: string, stop: () => void) => void = () => {},
): Promise<Ended> {
  const env = { ...process.env, PORT: '1', NODE_OPTIONS: '', INIT_CWD: ROOT };
  const child = spawn(process.execPath, ['scripts/demo.ts', ...words], { cwd: ROOT, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      onOutput(output, () => child.kill('SIGINT'));
    });
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

/** nginx-rtmp.test.ts says where it is missing. */
const overRtmp = (await findNginxRtmp()) ? it : it.skip;

describe('the demo', () => {
  it('records a live test stream and finds the file right', async () => {
    const { code, output } = await runDemo(['--seconds', '4']);
    expect(output).toMatch(/pushed 1 segment \(2 s\) · captured \d · API: recording/);
    expect(output).toMatch(/completed, \d+\.\d\d s after stream\.ended/);
    expect(output).toMatch(/tracks +h264 1280×720, 30 fps · aac 48000 Hz, \d ch/);
    expect(output).toMatch(/packets +(\d+) of \1 equal to a single-pass remux/);
    expect([code, output.includes('All is right.')]).toEqual([0, true]);
    const copy = /copy +(\S+)/.exec(output)?.[1] ?? '';
    expect(await readdir(join(ROOT, copy, '..'))).toContain(copy.split('/').at(-1));
  });

  it('records a folder of HLS', async () => {
    const { dir } = await makeHls({ seconds: 4, bframes: 2 });
    const { code, output } = await runDemo([dir]);
    expect(output).toContain('All is right.');
    expect(code).toBe(0);
  });

  overRtmp('records what is published to nginx over RTMP', async () => {
    const { code, output } = await runDemo(['--rtmp', '--seconds', '6']);
    expect(output).toMatch(/packets +(\d+) of \1 equal to a single-pass remux/);
    expect([code, output.includes('All is right.')]).toEqual([0, true]);
  });

  it('stops all that it started at Ctrl-C', async () => {
    const { code, output } = await runDemo(['--seconds', '600'], (sofar, stop) => {
      // Twice, as a terminal and npm both send it.
      if (sofar.includes('pushed 1 segment')) stop();
    });
    expect([code, output.trim().split('\n').at(-1)]).toEqual([1, 'Stopped']);
    const url = /it listens at (\S+)/.exec(output)?.[1];
    await waitFor(
      'nobody listens any more',
      () =>
        fetch(`${url}/health`).then(
          () => false,
          () => true,
        ),
      { withinMs: 1000 },
    );
  });

  it.each([
    [['/no/such/file'], 'There is no file or directory "/no/such/file"'],
    [['package.json'], `"${join(ROOT, 'package.json')}" is no video or audio file that ffmpeg can read`],
    [['lib'], `${join(ROOT, 'lib')} has neither .ts segments nor a playlist of them`],
    [['a', 'b'], 'One file or folder at a time, not 2. See npm run demo -- --help'],
  ])('answers %j with one line', async (words, line) => {
    expect(await runDemo(words)).toEqual({ code: 2, output: `${line}\n` });
  });
});
