/** Signatures of requests, against the worked examples of the Amazon S3 API reference. */
import { EMPTY_HASH, encodeKey, signRequest } from '../../../lib/storage/signature-v4.ts';

const identity = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const now = new Date('2013-05-24T00:00:00Z');
const host = 'examplebucket.s3.amazonaws.com';

function signatureOf(request: Partial<Parameters<typeof signRequest>[0]>): string | undefined {
  const whole = { method: 'GET', path: '/', query: {}, headers: { host }, payloadHash: EMPTY_HASH, ...request };
  return signRequest(whole, identity, 'us-east-1', now).authorization?.split('Signature=')[1];
}

describe('a signed request', () => {
  it('has the signature of the reference: GET of a range', () => {
    expect(signatureOf({ path: '/test.txt', headers: { host, range: 'bytes=0-9' } })).toBe(
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
  });

  it('has the signature of the reference: PUT with a key that needs encoding', () => {
    const headers = { host, date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' };
    const payloadHash = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072';
    expect(signatureOf({ method: 'PUT', path: `/${encodeKey('test$file.text')}`, headers, payloadHash })).toBe(
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    );
  });

  it('has the signature of the reference: a query, whatever the order of its names', () => {
    const expected = '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7';
    expect(signatureOf({ query: { 'max-keys': '2', prefix: 'J' } })).toBe(expected);
    expect(signatureOf({ query: { prefix: 'J', 'max-keys': '2' } })).toBe(expected);
  });

  it('is signed with the key of its own secret, day and region, whatever was signed before', () => {
    const request = { method: 'GET', path: '/', query: {}, headers: { host }, payloadHash: EMPTY_HASH };
    const sign = (secretAccessKey: string, region: string, at: string) =>
      signRequest(request, { ...identity, secretAccessKey }, region, new Date(at)).authorization;
    const first = sign('a', 'us-east-1', '2026-01-01T00:00:00Z');
    const others = [
      sign('b', 'us-east-1', '2026-01-01T00:00:00Z'),
      sign('a', 'eu-central-1', '2026-01-01T00:00:00Z'),
      sign('a', 'us-east-1', '2026-01-02T00:00:00Z'),
    ];
    expect(new Set([first, ...others]).size).toBe(4);
    expect(sign('a', 'us-east-1', '2026-01-01T00:00:00Z')).toBe(first);
  });

  it('carries and signs the token of a role', () => {
    const headers = signRequest(
      { method: 'GET', path: '/', query: {}, headers: { host }, payloadHash: EMPTY_HASH },
      { ...identity, sessionToken: 'token' },
      'us-east-1',
      now,
    );
    expect(headers['x-amz-security-token']).toBe('token');
    expect(headers.authorization).toContain('SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,');
  });
});
