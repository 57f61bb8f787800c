/** The completeness report as a schema, for openapi.json. */
import { z } from 'zod';
import { statusSchema } from './api-schemas.ts';

const ms = z.int();
const time = z.string().describe('RFC 3339 in UTC, to the second');

export const reportSchema = z
  .object({
    recording_id: z.uuid(),
    status: statusSchema,
    complete: z.boolean().describe('Nothing is missing, left out or damaged, and the file is there'),
    segments: z.object({
      expected: z.int(),
      captured: z.int(),
      left_out: z.int(),
      damaged: z.int(),
    }),
    left_out: z
      .array(
        z.object({
          name: z.string(),
          number: z.int().nullable(),
          state: z.enum(['missing', 'rejected', 'late', 'unclaimed']),
          reason: z.string().nullable(),
          at: time.nullable(),
        }),
      )
      .describe('Segments that are not in the file, and why'),
    damaged: z
      .array(z.object({ name: z.string(), number: z.int(), notes: z.array(z.string()) }))
      .describe('Captured, but not whole'),
    gaps: z.array(
      z.object({
        from: z.int().describe('First missing number'),
        to: z.int(),
        missing: z.int().describe('How many segments'),
        media_at_ms: ms.describe('Where in the recording: nothing is filled in, this is a cut'),
        wall_clock_from: time,
        wall_clock_to: time.nullable(),
        length_ms: ms,
        reasons: z.array(z.string()),
      }),
    ),
    runs: z
      .array(
        z.object({
          reason: z.string().describe('Why a new run of timestamps begins'),
          media_at_ms: ms,
          duration_ms: ms,
          segments: z.int(),
          wall_clock_gap_ms: ms.nullable(),
        }),
      )
      .describe('Stretches whose timestamps continue'),
    reconnects: z.array(z.object({ ended_at: z.string(), resumed_at: z.string() })),
    media_duration_ms: ms,
    wall_clock_duration_ms: ms.nullable(),
    av_offset_ms: z
      .object({ start: ms.nullable(), end: ms.nullable() })
      .describe('Sound minus picture: positive if the sound begins (ends) later'),
    sha256: z.string().nullable().describe('Of the file; null until it is known'),
    failure: z.object({ code: z.string(), message: z.string() }).nullable(),
    warnings: z.array(z.string()).describe('What ffmpeg had to say'),
  })
  .meta({ id: 'Report' });

export const reportAnswer = z.object({ report: reportSchema });

export const segmentsAnswer = z.object({
  segments: z.array(
    z.object({
      id: z.int(),
      start: z.number().describe('Seconds from the beginning of the recording'),
      duration: z.number(),
      size: z.int(),
      starts_run: z.boolean().describe('Its timestamps do not continue those before'),
    }),
  ),
  total: z.int(),
});
