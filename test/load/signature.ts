/**
 * The Authorization header of one S3 request (AWS Signature Version 4) for the load's packagers, in a third of the CPU of
 * the SDK's signer: the load shares its machine with what it measures. The embedded S3 server checks every one.
 *
 * Reference: "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk" in the
 * Amazon S3 API reference.
 */
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

interface SigningIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

interface UnsignedRequest {
  readonly method: string;
  /** Percent-encoded, as it is sent. */
  readonly path: string;
  /** All headers that are signed, in small letters; `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** As over TLS: the bytes are not signed. */
const PAYLOAD = 'UNSIGNED-PAYLOAD';

/** The headers to send: those that were given, and the signature with what belongs to it. */
export function signRequest(
  request: UnsignedRequest,
  identity: SigningIdentity,
  region: string,
  now: Date,
): Record<string, string> {
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const date = time.slice(0, 8);
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-content-sha256': PAYLOAD,
    'x-amz-date': time,
  };
  const names = Object.keys(headers).sort();
  const signedHeaders = names.join(';');
  const canonicalRequest = [
    request.method,
    request.path,
    '',
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    '',
    signedHeaders,
    PAYLOAD,
  ].join('\n');
  const scope = `${date}/${region}/s3/aws4_request`;
  const signature = createHmac('sha256', keyOfDay(identity.secretAccessKey, date, region))
    .update(`${ALGORITHM}\n${time}\n${scope}\n${hash('sha256', canonicalRequest)}`)
    .digest('hex');
  headers.authorization = `${ALGORITHM} Credential=${identity.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return headers;
}

interface DayKey {
  readonly secret: string;
  readonly scope: string;
  readonly key: KeyObject;
}
/** Deriving it takes four HMACs, more than all of the rest: the last one is kept. */
let lastKey: DayKey | undefined;

function keyOfDay(secret: string, date: string, region: string): KeyObject {
  const scope = `${date}/${region}`;
  if (lastKey?.secret === secret && lastKey.scope === scope) return lastKey.key;
  const parts = [date, region, 's3', 'aws4_request'];
  const bytes = parts.reduce(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  lastKey = { secret, scope, key: createSecretKey(bytes) };
  return lastKey.key;
}
