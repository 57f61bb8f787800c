/** Free ports, and saying which one is not free. */
import { createServer } from 'node:net';
import { hasCode, PortTaken } from './errors.ts';

/** A port that was free a moment ago. Whoever binds it must still be ready to find it taken. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === 'object' ? address.port : 0));
    });
  });
}

/**
 * For servers that would report a taken port late or in words of their own. 0 is always free.
 * @throws {PortTaken} naming the variable
 */
export function requireFreePort(port: number, variable: string, host = '127.0.0.1'): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause) => {
      reject(hasCode(cause, 'EADDRINUSE') ? new PortTaken(port, variable, { cause }) : cause);
    });
    server.listen(port, host, () => server.close(() => resolve()));
  });
}
