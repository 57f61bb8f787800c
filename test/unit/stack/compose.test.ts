import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfig, VARIABLES } from '../../../lib/platform/config.ts';
import { JOBS_QUEUE, QUEUES, SEGMENTS_QUEUE } from '../../../localstack/queues.ts';
import { readLocalSettings } from '../../../localstack/settings.ts';

const folder = path.join(import.meta.dirname, '../../../localstack');
const read = (file: string) => readFileSync(path.join(folder, file), 'utf8');

const { services } = z
  .object({
    services: z.record(
      z.string(),
      z.object({
        image: z.string(),
        ports: z.array(z.string()).default([]),
        volumes: z.array(z.string()).default([]),
      }),
    ),
  })
  .parse(parse(read('compose.yml')));

const environment = Object.fromEntries(
  read('compose.env')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
);

describe('the back ends in containers', () => {
  it('are of pinned versions, and listen on this machine only', () => {
    expect(Object.keys(services).sort()).toEqual(['localstack', 'minio', 'minio-init', 'postgres']);
    for (const { image, ports } of Object.values(services)) {
      expect(image).toMatch(/:(\d|RELEASE\.\d)/);
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('mount files that there are', () => {
    const mounted = Object.values(services).flatMap(({ volumes }) =>
      volumes.filter((volume) => volume.startsWith('./')),
    );
    expect(mounted.length).toBeGreaterThan(0);
    for (const volume of mounted) expect(() => read(`${volume.split(':', 1)[0]}`)).not.toThrow('ENOENT');
  });

  it('have the queues that the embedded stack has', () => {
    const script = read('init/queues.sh');
    for (const { name, visibilityTimeoutSeconds, deadLetter } of QUEUES) {
      expect(script).toMatch(new RegExp(`make_queue ${name.replaceAll('.', '\\.')}[ \\\\]`));
      if (!deadLetter) continue;
      expect(script).toContain(`VisibilityTimeout\\":\\"${visibilityTimeoutSeconds}`);
      expect(script).toContain(`redrive ${deadLetter.queue})`);
    }
  });

  it('are reached with variables that the service and npm start know, and that are right', () => {
    const known = new Set([...VARIABLES, 'HOST']);
    expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
    const config = readConfig(environment);
    expect(config.SEGMENTS_QUEUE_URL).toMatch(new RegExp(`/${SEGMENTS_QUEUE}$`));
    expect(config.JOBS_QUEUE_URL).toMatch(new RegExp(`/${JOBS_QUEUE}$`));
    expect(readLocalSettings(environment).HOST).toBe('0.0.0.0');
  });
});
