/**
 * The model test with real media: fewer schedules, of one encoder without damage, whose segments ffmpeg made and ffmpeg
 * joins. Whatever happens, every packet of the file is that of a single-pass remux.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mediaEngine } from '../../../lib/recordings/media-engine.ts';
import { RecordingRepository } from '../../../lib/recordings/recording-repository.ts';
import { comparePackets, ffmpegBinary, type Hls, makeHls, packets, referenceRemux } from '../../support/media/index.ts';
import { type Bench, startBench } from '../../support/model/bench.ts';
import { checkSchedules } from '../../support/model/check-schedules.ts';
import { judgeCleaned, judgeRows } from '../../support/model/oracle.ts';
import { playSchedule } from '../../support/model/play.ts';
import { type Schedule, scheduleArbitrary } from '../../support/model/schedule.ts';
import { BUCKET, type Footage, type World } from '../../support/model/world.ts';

const SCHEDULES = 12;
const SEED = 1;
/** Alone and later than that after the end, a segment may be another broadcast's. */
const MOST_LATE_MS = 8000;
const WITHIN_MS = 15 * 60_000;

let bench: Bench;
let hls: Hls;
let folder: string;

beforeAll(async () => {
  [bench, hls] = await Promise.all([
    startBench(),
    makeHls({ seconds: 12, segmentSeconds: 2, fps: '30000/1001', bframes: 2, audio: [{ codec: 'aac' }] }),
  ]);
  folder = mkdtempSync(join(tmpdir(), 'model-media-'));
});
afterAll(async () => {
  await bench?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** One broadcast that the service hears of, from one encoder whose segments all come. */
const plain = ({ broadcasts, settings, ...rest }: Schedule): Schedule => ({
  ...rest,
  settings: { ...settings, keep: null, sameClock: true },
  broadcasts: broadcasts.slice(0, 1).map((broadcast) => ({
    ...broadcast,
    started: [50],
    sessions: broadcast.sessions.slice(0, 1).map((session) => ({
      ...session,
      segments: session.segments.map((segment) => ({
        ...segment,
        damage: 'none' as const,
        lateMs: Math.min(segment.lateMs, MOST_LATE_MS),
      })),
    })),
  })),
});

async function judge(world: World, _bench: Bench, phase: 'finished' | 'cleaned'): Promise<string[]> {
  const found: string[] = [];
  const say = (text: string) => found.push(`${phase}: ${text}`);
  const recordings = await new RecordingRepository(bench.db).list({ limit: 10 });
  await judgeRows(bench, say);
  if (phase === 'cleaned') await judgeCleaned(world, recordings, say);
  const files = world.store.objects(BUCKET).filter(({ key }) => !key.startsWith('.'));
  const statuses = recordings.map((recording) => recording.status).join(', ');
  const [file] = files;
  if (!file || files.length > 1 || statuses !== 'completed') return [...found, `${files.length} files, ${statuses}`];
  const path = join(folder, 'file.mp4');
  writeFileSync(path, file.bytes);
  const count = world.script.broadcasts[0]?.segments.length;
  const expected = await packets(await referenceRemux(hls.segments.slice(0, count)), { hash: true });
  return [...found, ...comparePackets(await packets(path, { hash: true }), expected)];
}

describe('whatever is lost, late, killed or down', () => {
  it(
    `every packet is in the file, in ${SCHEDULES} random schedules of real media`,
    async () => {
      const segments = hls.segments.map((path) => readFileSync(path));
      const footage: Footage = {
        media: mediaEngine,
        ffmpegPath: (await ffmpegBinary()).path,
        segmentBytes: segments[0]?.length ?? 0,
        make: (_id, _first90k, index) => segments[index] ?? Buffer.alloc(0),
        judge,
      };
      const failure = await checkSchedules(bench, {
        schedules: SCHEDULES,
        seed: SEED,
        arbitrary: scheduleArbitrary.map(plain),
        play: (on, schedule) => playSchedule(on, schedule, undefined, footage),
      });
      expect(failure?.text ?? 'no difference').toBe('no difference');
    },
    WITHIN_MS,
  );
});
