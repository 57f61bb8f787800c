import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { parseSecrets, sign, verify, type WebhookSecrets } from '../../../lib/platform/signature.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const NOW = 1_614_265_330_000;
const BODY = '{"test": 2432232314}';

const secrets = (text: string): WebhookSecrets => {
  const parsed = parseSecrets(text);
  if (!parsed) throw new Error('no secrets');
  return parsed;
};

describe('a signature of Standard Webhooks', () => {
  it('is the one of the published example', () => {
    expect(sign(secrets(SECRET), 'msg_p5jXN8AQM9LWM0D4loKWxJek', NOW, BODY)).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is accepted by the reference library, and the other way round, for any body', () => {
    const reference = new Webhook(SECRET);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/), (body, id) => {
        const now = Date.now();
        const ours = sign(secrets(SECRET), id, now, body);
        expect(() => reference.verify(body, { ...ours }, { jsonParse: false })).not.toThrow();
        const theirs = { ...ours, 'webhook-signature': reference.sign(id, new Date(now), body) };
        expect(verify(secrets(SECRET), theirs, body, now)).toBe('valid');
      }),
      { numRuns: 200 },
    );
  });

  it('of either of two secrets is valid, so that senders can change over', () => {
    const both = secrets(`${OTHER}, ${SECRET}`);
    for (const one of [SECRET, OTHER]) {
      expect(verify(both, sign(secrets(one), 'm', NOW, BODY), BODY, NOW)).toBe('valid');
    }
  });

  it('is given for each secret by a sender that has two', () => {
    const headers = sign(secrets(`${OTHER},${SECRET}`), 'm', NOW, BODY);
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
    expect(verify(secrets(SECRET), headers, BODY, NOW)).toBe('valid');
    expect(verify(secrets(OTHER), headers, BODY, NOW)).toBe('valid');
  });

  it.each([
    [-300, 'valid'],
    [300, 'valid'],
    [-301, 'expired'],
    [301, 'expired'],
  ])('that is %d s away from now is %s', (seconds, verdict) => {
    const headers = sign(secrets(SECRET), 'm', NOW + seconds * 1000, BODY);
    expect(verify(secrets(SECRET), headers, BODY, NOW)).toBe(verdict);
  });

  it('does not fit when body, id, time or secret is another', () => {
    const headers = sign(secrets(SECRET), 'm', NOW, BODY);
    expect(verify(secrets(SECRET), headers, `${BODY} `, NOW)).toBe('wrong');
    expect(verify(secrets(SECRET), { ...headers, 'webhook-id': 'n' }, BODY, NOW)).toBe('wrong');
    expect(verify(secrets(SECRET), { ...headers, 'webhook-timestamp': '1614265331' }, BODY, NOW)).toBe('wrong');
    expect(verify(secrets(OTHER), headers, BODY, NOW)).toBe('wrong');
  });

  it('of another version, of another length or without secrets to compare with is wrong', () => {
    const headers = sign(secrets(SECRET), 'm', NOW, BODY);
    const signature = headers['webhook-signature'];
    for (const altered of [signature.replace('v1,', 'v2,'), signature.slice(0, 20), 'v1,', 'nonsense']) {
      expect(verify(secrets(SECRET), { ...headers, 'webhook-signature': altered }, BODY, NOW)).toBe('wrong');
    }
    expect(verify([], headers, BODY, NOW)).toBe('wrong');
  });

  it('is looked for among the first sixteen, and an id has at most 256 characters', () => {
    const headers = sign(secrets(SECRET), 'm', NOW, BODY);
    const among = (others: number) => ({
      ...headers,
      'webhook-signature': `${'v1,AAAA '.repeat(others)}${headers['webhook-signature']}`,
    });
    expect(verify(secrets(SECRET), among(15), BODY, NOW)).toBe('valid');
    expect(verify(secrets(SECRET), among(16), BODY, NOW)).toBe('wrong');
    for (const [length, verdict] of [
      [256, 'valid'],
      [257, 'malformed'],
    ] as const) {
      const long = sign(secrets(SECRET), 'm'.repeat(length), NOW, BODY);
      expect(verify(secrets(SECRET), long, BODY, NOW)).toBe(verdict);
    }
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('without %s is missing', (name) => {
    expect(verify(secrets(SECRET), { ...sign(secrets(SECRET), 'm', NOW, BODY), [name]: undefined }, BODY, NOW)).toBe(
      'missing',
    );
  });

  it.each(['', 'NaN', '1e9', '-1', '16142653301234567'])('with the time %p is malformed or missing', (timestamp) => {
    const headers = { ...sign(secrets(SECRET), 'm', NOW, BODY), 'webhook-timestamp': timestamp };
    expect(['malformed', 'missing']).toContain(verify(secrets(SECRET), headers, BODY, NOW));
  });
});

describe('the variable of secrets', () => {
  it('takes whsec_ as base64 and anything else as it is', () => {
    expect(secrets(SECRET)[0]).toHaveLength(24);
    expect(Buffer.from(secrets('a raw secret of enough length')[0] ?? []).toString()).toBe(
      'a raw secret of enough length',
    );
  });

  it.each(['', 'short', 'whsec_', 'whsec_not base64!', 'whsec_QUJD', `${SECRET},`, `${SECRET},${SECRET},${SECRET}`])(
    'refuses %p',
    (text) => {
      expect(parseSecrets(text)).toBeNull();
    },
  );
});
