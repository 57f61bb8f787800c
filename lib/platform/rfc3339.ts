/** Times as others tell them, RFC 3339. Which of them can be kept and given back is decided here, whoever tells them. */
import { z } from 'zod';

/**
 * A time of any zone, in the years 1 to 9999 of UTC. PostgreSQL writes others in its own way (`BC`, five digits), and one
 * recording with such a time would break every list that it stands in.
 */
export const rfc3339 = z.iso.datetime({ offset: true, abort: true }).refine((text) => {
  const year = new Date(text).getUTCFullYear();
  return year >= 1 && year <= 9999;
}, 'must be in the years 1 to 9999');
