/** Text in a URL or a header as signatures and RFC 8187 want it. */

/** Percent-encodes all but the unreserved characters (RFC 3986, section 2.3); encodeURIComponent leaves five more. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The same of a path: slashes stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeRfc3986).join('/');
}
