/**
 * What tests of streaming servers share: the way from an RTMP publisher through a real server, its hooks and its HLS on
 * disk to a recording, and what that recording has to be. Knows no server in particular.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type HookServer, readHook } from '../../../lib/recordings/hook-payloads.ts';
import {
  assertFaststart,
  comparePackets,
  fullDecode,
  type PacketStream,
  packets,
  referenceRemux,
} from '../../support/media/index.ts';
import { type HookGate, openHookGate } from '../../support/servers/hook-gate.ts';
import { startUploaderProcess, type UploaderProcess } from '../../support/servers/uploader-process.ts';
import { type RunningService, startService } from '../../support/service.ts';
import { waitFor } from '../../support/wait.ts';
import { download, type RecordingAnswer, recordingsOf } from '../scenario.ts';

export const HOOK_TOKEN = 'token-of-the-servers';

export interface Way {
  readonly service: RunningService;
  readonly gate: HookGate;
  /** What the server is told to call. */
  hooksUrl(server: HookServer): string;
  watch(hlsFolder: string): UploaderProcess;
  stop(): Promise<void>;
}

export async function openWay(): Promise<Way> {
  const service = await startService({ env: { HOOK_TOKEN, MONITOR_INTERVAL: '2s', END_GRACE: '4s' } });
  const gate = await openHookGate(service.url);
  const uploaders: UploaderProcess[] = [];
  return {
    service,
    gate,
    hooksUrl: (server) => `${gate.url}/hooks/${server}?token=${HOOK_TOKEN}`,
    watch: (hlsFolder) => {
      const uploader = startUploaderProcess(hlsFolder, service.s3);
      uploaders.push(uploader);
      return uploader;
    },
    stop: async () => {
      await Promise.all(uploaders.map((uploader) => uploader.stop()));
      await gate.close();
      await service.stop();
    },
  };
}

/** The recorder's id of a stream, which it makes of what the server calls it. */
export function streamIdOf(server: HookServer, body: string): string {
  const hook = readHook(server, body);
  if (!hook) throw new Error(`No start and no end: ${body}`);
  return hook.streamId;
}

/** All recordings of a stream, oldest first, when there are this many and all are over. */
export function waitForRecordings(way: Way, streamId: string, count: number): Promise<RecordingAnswer[]> {
  let last = '';
  return waitFor(
    `${count} recordings are over`,
    async () => {
      const recordings = (await recordingsOf(way.service.url, streamId)).reverse();
      last = JSON.stringify(recordings);
      const over = recordings.filter(({ status }) => status === 'completed' || status === 'failed');
      return over.length === count && recordings.length === count ? recordings : undefined;
    },
    { withinMs: 60_000, everyMs: 100, lastSeen: () => last },
  );
}

/** Segments of a folder in the order of their numbers. */
export async function segmentsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.ts'));
  return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((name) => join(folder, name));
}

/**
 * Every packet that is in the files which the server wrote, and nothing else; it plays as they do. On a busy machine a last
 * segment may be uploaded after the recording was completed, which is then made anew.
 */
export async function expectExactly(way: Way, recording: RecordingAnswer | undefined, files: readonly string[]) {
  expect(recording).toMatchObject({ status: 'completed' });
  if (!recording) return;
  const reference = await referenceRemux(files, { maps: ['0:v', '0:a'] });
  const expected = byCodec(await packets(reference, { hash: true }));
  expect(expected.map(({ packets: all }) => all.length > 40)).toEqual([true, true]);
  let differences: string[] = [];
  const file = await waitFor(
    'the recording is exact',
    async () => {
      const made = await download(way.service, recording);
      differences = comparePackets(byCodec(await packets(made, { hash: true })), expected);
      return differences.length === 0 ? made : undefined;
    },
    { withinMs: 60_000, everyMs: 1000, lastSeen: () => differences.join('\n') },
  );
  await assertFaststart(file);
  expect(await complaints(file)).toBe(await complaints(reference));
}

/** Servers list their tracks in one order or the other. */
const byCodec = (streams: readonly PacketStream[]) => streams.toSorted((a, b) => (a.codec < b.codec ? -1 : 1));

/** What a decoder says of a file from its beginning to its end: nothing, where times are as they should be. */
function complaints(file: string): Promise<string> {
  return fullDecode(file).then(
    () => '',
    (error: unknown) =>
      String(error)
        .replaceAll(file, '')
        .replaceAll(/0x[0-9a-f]+/g, ''),
  );
}
