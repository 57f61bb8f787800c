/** Text that others send and that is kept. */
import { z } from 'zod';

/** A check for strings: no control characters. PostgreSQL keeps no zero byte, and nobody means any other. */
export const printable = z.regex(/^\P{Cc}*$/u, 'must not contain control characters');
