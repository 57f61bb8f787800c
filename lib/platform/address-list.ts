/** Lists of IP addresses and networks, as they stand in the configuration. Who is checked against one is not decided here. */
import { BlockList, isIP } from 'node:net';

/** Addresses and networks; an IPv4 address in IPv6 dress (`::ffff:127.0.0.1`) counts as the IPv4 address it is. */
export interface AddressList {
  readonly entries: readonly string[];
  has(address: string): boolean;
}

/** Reads `127.0.0.0/8, ::1, 10.1.2.3`. Returns null where an entry is no address and no network. */
export function parseAddressList(text: string): AddressList | null {
  const list = new BlockList();
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  for (const entry of entries) {
    const [address = '', bits, ...rest] = entry.split('/');
    const version = isIP(address);
    if (version === 0 || rest.length > 0 || address.includes('%')) return null;
    const family = version === 6 ? 'ipv6' : 'ipv4';
    const width = version === 6 ? 128 : 32;
    if (bits === undefined) list.addAddress(address, family);
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= width) list.addSubnet(address, Number(bits), family);
    else return null;
  }
  return {
    entries,
    has: (address) => {
      const normal = normalAddress(address);
      const version = isIP(normal);
      return version !== 0 && list.check(normal, version === 6 ? 'ipv6' : 'ipv4');
    },
  };
}

/** An address without brackets, zone and IPv6 dress. */
export function normalAddress(address: string): string {
  const plain = address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1] ?? plain.toLowerCase();
}
