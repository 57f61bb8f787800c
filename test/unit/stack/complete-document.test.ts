import { parseComplete } from '../../../localstack/s3-xml.ts';

const MD5 = ['0123456789abcdef0123456789abcdef', 'fedcba9876543210fedcba9876543210'] as const;
const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';
const EXPECTED = [
  { number: 1, etag: MD5[0] },
  { number: 3, etag: MD5[1] },
];

const documentOf = (parts: string) => `<CompleteMultipartUpload ${NAMESPACE}>${parts}</CompleteMultipartUpload>`;
const part = (number: string, etag: string) => `<Part><ETag>${etag}</ETag><PartNumber>${number}</PartNumber></Part>`;

describe('the document of a CompleteMultipartUpload', () => {
  it.each([
    ['as SDKs write it', documentOf(part('1', `&quot;${MD5[0]}&quot;`) + part('3', `&quot;${MD5[1]}&quot;`))],
    ['with a declaration, without quotes', DECLARATION + documentOf(part('1', MD5[0]) + part('3', MD5[1]))],
    [
      'with the number first, and no namespace',
      `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"${MD5[0]}"</ETag></Part>${part('3', MD5[1])}</CompleteMultipartUpload>`,
    ],
    ['with spaces and lines', documentOf(`\n ${part(' 1 ', MD5[0])}\n ${part('3', `&#34;${MD5[1]}&#34;`)}\n`)],
    [
      'with further elements',
      documentOf(
        part('1', MD5[0]) +
          `<Part><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ETag>${MD5[1]}</ETag><PartNumber>3</PartNumber></Part>`,
      ),
    ],
  ])('is read %s', (_how, text) => {
    expect(parseComplete(text)).toEqual(EXPECTED);
  });

  it.each([
    ['no part', documentOf('')],
    ['a part 0', documentOf(part('0', MD5[0]))],
    ['a part 10001', documentOf(part('10001', MD5[0]))],
    ['a part without a number', documentOf(`<Part><ETag>${MD5[0]}</ETag></Part>`)],
    ['a part without an ETag', documentOf('<Part><PartNumber>1</PartNumber></Part>')],
    [
      'a part with two ETags',
      documentOf(`<Part><ETag>${MD5[0]}</ETag><PartNumber>1</PartNumber><ETag>${MD5[1]}</ETag></Part>`),
    ],
    ['an end that is cut off', documentOf(part('1', MD5[0])).slice(0, -3)],
    ['another root', part('1', MD5[0])],
    ['text between', documentOf(`${part('1', MD5[0])}<Part>`)],
  ])('is refused with %s', (_what, text) => {
    expect(() => parseComplete(text)).toThrow(expect.objectContaining({ code: 'MalformedXML' }));
  });

  it('of ten thousand parts is read', () => {
    const all = Array.from({ length: 10_000 }, (_, at) => part(String(at + 1), MD5[0])).join('');
    expect(parseComplete(documentOf(all))).toHaveLength(10_000);
    expect(() => parseComplete(documentOf(all + part('1', MD5[0])))).toThrow();
  });
});
