import { readEngineState } from '../../../lib/recordings/engine-state.ts';
import { nextPartNumber, partsBehind } from '../../../lib/recordings/held-part.ts';

const MIB = 1024 * 1024;
const PART_SIZE = 16 * MIB;

const held = { partNumber: 1, heldKey: 'held', size: 15 * MIB };
const rolled = [3, 4].map((partNumber) => ({ partNumber, etag: `e${partNumber}`, heldKey: null, size: 15 * MIB }));
const listedRolled = rolled.map(({ partNumber, etag }) => ({ partNumber, etag }));

describe('the number of the next part', () => {
  it('leaves 2 free for the held-back media, and goes on behind what is there', () => {
    expect([0, 1, 2, 3, 317].map(nextPartNumber)).toEqual([1, 3, 3, 4, 318]);
  });
});

describe('what completes an upload behind the head', () => {
  const sent = [{ ...held, etag: 'e2' }, ...rolled];

  it('is the held-back media as part 2, where the head has just the bytes of a part', () => {
    const expected = { listed: [{ partNumber: 2, etag: 'e2' }, ...listedRolled], heldApart: true };
    expect(partsBehind(sent, 5 * MIB, PART_SIZE)).toEqual(expected);
  });

  it('are the rolled parts alone where the head is a byte shorter', () => {
    expect(partsBehind(sent, 5 * MIB - 1, PART_SIZE)).toEqual({ listed: listedRolled, heldApart: false });
  });

  it('are the rolled parts alone where the media was not sent, however long the head is', () => {
    const unsent = [{ ...held, etag: null }, ...rolled];
    expect(partsBehind(unsent, 30 * MIB, PART_SIZE)).toEqual({ listed: listedRolled, heldApart: false });
  });
});

describe('the state of the engine', () => {
  it('is read as this release and the one before wrote it, and no other', () => {
    expect(readEngineState({ version: 1, runs: 3 })).toMatchObject({ runs: 3 });
    expect(readEngineState({ version: 2, runs: 3 })).toMatchObject({ runs: 3 });
    expect(readEngineState(null)).toBeNull();
    expect(() => readEngineState({ version: 3 })).toThrow('version 3');
  });
});
