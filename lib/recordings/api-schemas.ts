/** The shapes of the API's requests and answers as schemas: what handlers check with and openapi.json is made from. */
import { z } from 'zod';
import { streamKeySchema } from '../capture/segment-name.ts';
import { rfc3339 } from '../platform/rfc3339.ts';
import { visibility } from '../services/vod-service.ts';

/** Any UUID, in lower case. */
export const uuid = z.uuid().transform((id) => id.toLowerCase());

const second = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  .describe('RFC 3339 in UTC, to the second')
  .meta({ examples: ['2025-10-05T18:00:00Z'] });

export const statusSchema = z.enum(['recording', 'processing', 'completed', 'failed']).meta({ id: 'RecordingStatus' });

const recordingSchema = z
  .strictObject({
    id: z.uuid(),
    stream_id: z.uuid(),
    video_id: z.uuid().nullable().describe('The video in the VOD Service, once imported'),
    file_path: z.string().describe('Bucket and key of the MP4; empty until completed'),
    duration: z.int().min(0).describe('Seconds'),
    file_size: z.int().min(0).describe('Bytes'),
    status: statusSchema,
    started_at: second,
    completed_at: second.nullable(),
  })
  .meta({ id: 'Recording' });

export const healthAnswer = z.object({ status: z.literal('healthy'), service: z.literal('recording-service') });
export const recordingAnswer = z.object({ recording: recordingSchema });
export const recordingsAnswer = z.object({ recordings: z.array(recordingSchema) });
export const messageAnswer = z.object({ message: z.string() });

export const streamWebhookBody = z
  .object({
    event: z.enum(['stream.started', 'stream.ended']),
    stream_id: uuid,
    stream_key: streamKeySchema,
    user_id: uuid.nullish(),
    timestamp: rfc3339.describe('When the stream started or ended'),
  })
  .meta({ id: 'StreamWebhook' });

/** The part of an S3 event that is read. */
export const s3EventBody = z
  .object({
    Records: z.array(
      z.object({
        eventName: z.string(),
        s3: z.object({
          bucket: z.object({ name: z.string() }),
          object: z.object({ key: z.string().max(4096) }),
        }),
      }),
    ),
  })
  .meta({ id: 'S3Event' });

export const patchBody = z
  .strictObject({ video_id: uuid.nullable().describe('null takes the video away again') })
  .meta({ id: 'RecordingPatch' });

export const importBody = z
  .strictObject({
    recording_id: uuid.optional().describe('As in the path, if it is given'),
    title: z.string().trim().min(1).max(200),
    description: z.string().max(5000).default(''),
    category: z.string().trim().min(1).max(100).default('general'),
    visibility: visibility.default('private'),
  })
  .meta({ id: 'ImportRequest' });
export const importAnswer = z.object({ recording_id: z.uuid(), video_id: z.uuid() });

const eventType = z.enum(['recording.started', 'recording.completed', 'recording.failed', 'recording.reopened']);

const eventSchema = z
  .object({
    id: z.uuid().describe('The webhook-id of its deliveries; the same when it is sent again'),
    type: eventType,
    timestamp: second,
    data: z.looseObject({
      sequence: z.int().min(1).describe('1, 2, 3 … within the recording'),
      recording: recordingSchema.describe('As it was then'),
      failure: z.object({ code: z.string() }).optional(),
    }),
  })
  .meta({ id: 'RecordingEvent' });

export const eventsAnswer = z.object({
  events: z.array(
    z.object({
      event: eventSchema,
      deliveries: z.object({ pending: z.int(), delivered: z.int(), dead: z.int() }).describe('Over all targets'),
    }),
  ),
});
export const replayQuery = z.object({
  from_sequence: z.coerce
    .number('must be a whole number')
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .max(2 ** 31 - 1, 'is too large')
    .default(1)
    .describe('The first event to send again'),
});
export const replayAnswer = z.object({ replayed: z.int().min(0) });
