/** Secrets are compared by timingSafeEqual alone, and how often tells nothing of which one fits, or whether any does. */
import * as crypto from 'node:crypto';
import { jest } from '@jest/globals';

let compared = 0;
jest.unstable_mockModule('node:crypto', () => ({
  ...crypto,
  timingSafeEqual: (one: Uint8Array, other: Uint8Array) => {
    compared += 1;
    return crypto.timingSafeEqual(one, other);
  },
}));
// All of ours comes after the mock: who is imported before keeps the real one.
const { readConfig } = await import('../../../lib/platform/config.ts');
const { httpEvent } = await import('../../support/lambda.ts');
const { sign, verify } = await import('../../../lib/platform/signature.ts');
const { admit } = await import('../../../lib/platform/admission.ts');

/** How many comparisons this took, and what it gave. */
function comparing<Result>(work: () => Result): [number, Result] {
  compared = 0;
  const result = work();
  return [compared, result];
}

it('a signature, wherever it stands among others and whichever secret made it', () => {
  const secrets = ['new', 'old'].map((name) => Buffer.from(`the ${name} secret of enough length`));
  const signatures = [...secrets, Buffer.from('a stranger')].map(
    (secret) => sign([secret], 'm', 0, 'body')['webhook-signature'],
  );
  const [byNew = '', byOld = '', wrong = ''] = signatures;
  const judge = (...offered: string[]) => {
    const headers = { 'webhook-id': 'm', 'webhook-timestamp': '0', 'webhook-signature': offered.join(' ') };
    return comparing(() => verify(secrets, headers, 'body', 0));
  };
  expect(judge(byNew, wrong, wrong)).toEqual([6, 'valid']);
  expect(judge(wrong, wrong, byOld)).toEqual([6, 'valid']);
  expect(judge(wrong, wrong, wrong)).toEqual([6, 'wrong']);
});

it.each(['store', 'server'] as const)('the token of a %s, of whatever length and likeness', (access) => {
  const token = 'token-of-theirs';
  const config = readConfig({ MINIO_WEBHOOK_TOKEN: token, HOOK_TOKEN: token });
  const ask = (given: string) => {
    const event = httpEvent('POST', '/', { headers: { authorization: `Bearer ${given}` } });
    return comparing(() => {
      try {
        admit(access, event, config, 0);
        return 'let in';
      } catch {
        return 'refused';
      }
    });
  };
  expect(ask(token)).toEqual([1, 'let in']);
  for (const given of ['x', token.slice(1), `${token}x`, `x${token.slice(1)}`])
    expect(ask(given)).toEqual([1, 'refused']);
});
