/** The binary of a real server, or an error that says how to get it. */
import { findStoreBinary, STORES, type StoreName } from '../../../scripts/store-binaries.ts';

export function requireBinary(name: StoreName): string {
  const found = findStoreBinary(name);
  if (found) return found;
  const { title, variable } = STORES[name];
  throw new Error(`There is no ${title}: set ${variable}, or run "npm run test:stores", which builds it with Go`);
}
