/**
 * VersityGW's webhook against POST /webhook/segments. It sends no token: the address list lets it in. It tells of every
 * object in every bucket, once, and does not repeat what was not delivered. Nobody polls here.
 */
import { freePort } from '../../../localstack/ports.ts';
import { expectExact, play, recordingsOf } from '../../e2e/scenario.ts';
import { call } from '../../support/http.ts';
import { makeHls } from '../../support/media/index.ts';
import { type ServiceOnStore, startServiceOn } from '../../support/stores/service-on-store.ts';
import type { StoreServer } from '../../support/stores/store-server.ts';
import { startVersity } from '../../support/stores/versitygw.ts';
import { waitFor } from '../../support/wait.ts';

let server: StoreServer;
let service: ServiceOnStore;

beforeAll(async () => {
  const port = await freePort();
  // It asks at its start whether somebody listens, so that the service is started first, on a gateway without webhook.
  const first = await startVersity();
  service = await startServiceOn(first, { port, env: { END_GRACE: '2s' } });
  server = await first.withWebhook(`http://127.0.0.1:${port}/webhook/segments`);
  await server.allowReading();
});
afterAll(async () => {
  await service?.stop();
  await server?.stop();
});

describe("VersityGW's notifications", () => {
  it('capture every segment while it is live, and the recording is exact', async () => {
    const hls = await makeHls({
      seconds: 12,
      segmentSeconds: 2,
      fps: '30000/1001',
      bframes: 2,
      audio: [{ codec: 'aac' }],
    });
    const played = await play(service, {
      hls,
      speed: 6,
      beforeEnd: async ({ stream_id }) => {
        const [recording] = await recordingsOf(service.url, stream_id);
        const all = async () => {
          const { json } = await call(`${service.url}/recording/${recording?.id}/report`);
          return (json as { report: { segments: { captured: number } } }).report.segments.captured === 6;
        };
        await waitFor('all segments are captured', all, { withinMs: 5000 });
      },
    });
    await expectExact(service, played, hls.segments);
    expect(service.log.filter((line) => line.includes('Request refused'))).toEqual([]);
  });
});
