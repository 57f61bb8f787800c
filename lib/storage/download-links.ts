/**
 * Links to objects of a private bucket that work for a while without credentials (presigned GET). Making one is
 * arithmetic: nothing is sent to the store.
 */
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Config } from '../platform/config.ts';
import { encodeRfc3986 } from '../platform/rfc3986.ts';
import { createS3Client } from './s3-object-store.ts';

export interface DownloadLink {
  readonly bucket: string;
  readonly key: string;
  /** What a browser saves it as, in any script. */
  readonly fileName: string;
  readonly contentType: string;
  readonly expiresInMs: number;
  readonly nowMs: number;
}

export interface DownloadLinks {
  linkTo(link: DownloadLink): Promise<string>;
}

const DEFAULT_PUBLIC_URL = 'http://localhost:9000';

type LinkConfig = Parameters<typeof createS3Client>[0] & Pick<Config, 'PUBLIC_URL_BASE'>;

/** Links on the host of PUBLIC_URL_BASE, which has to reach the store's S3 API; on AWS its own host by default. */
export function createDownloadLinks(config: LinkConfig): DownloadLinks {
  const onAws = /(^|\.)amazonaws\.com(:\d+)?$/.test(config.MINIO_ENDPOINT);
  const endpoint = onAws && config.PUBLIC_URL_BASE === DEFAULT_PUBLIC_URL ? undefined : config.PUBLIC_URL_BASE;
  const client = createS3Client(config, endpoint);
  return {
    linkTo: ({ bucket, key, fileName, contentType, expiresInMs, nowMs }) =>
      getSignedUrl(
        client,
        new GetObjectCommand({
          Bucket: bucket,
          Key: key,
          ResponseContentDisposition: attachment(fileName),
          ResponseContentType: contentType,
        }),
        { expiresIn: Math.ceil(expiresInMs / 1000), signingDate: new Date(nowMs) },
      ),
  };
}

/** RFC 6266: a name of letters and digits for every client, and the name itself (RFC 8187) where that says more. */
function attachment(fileName: string): string {
  const plain = fileName.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  // Without what file systems refuse, and without signs that are not seen: some show a name in another order.
  const name = fileName.replaceAll(/[\p{C}/\\:*?"<>|]/gu, '_');
  return `attachment; filename="${plain}"${name === plain ? '' : `; filename*=UTF-8''${encodeRfc3986(name)}`}`;
}
