import { BlockList, isIP } from 'node:net'

// What an IP address is for, by the IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890) and what clouds keep for
// themselves. The first line that fits counts. BlockList sees an IPv4 address also where an IPv6 one maps it (::ffff:127.0.0.1).

const kinds = [
  [
    'metadata of a cloud',
    [
      ...['169.254.169.254/32', '169.254.170.2/32', '169.254.170.23/32', '100.100.100.200/32', '168.63.129.16/32'],
      ...['192.0.0.192/32', 'fd00:ec2::254/128', 'fd00:ec2::23/128', 'fd20:ce::254/128'],
    ],
  ],
  ['unspecified', ['0.0.0.0/8', '::/128']],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']],
  ['carrier-grade NAT', ['100.64.0.0/10']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  ['NAT64', ['64:ff9b::/96', '64:ff9b:1::/48']],
  ['6to4', ['2002::/16', '192.88.99.0/24']],
  ['Teredo', ['2001::/32']],
  ['documentation', ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20']],
  ['reserved', ['192.0.0.0/24', '198.18.0.0/15', '240.0.0.0/4', '2001::/23']],
] as const

export type AddressKind = (typeof kinds)[number][0] | 'public'

const lists = kinds.map(([kind, ranges]) => [kind, rangesOf(ranges)] as const)
/** All that IPv6 gives to anybody; the rest is for special purposes, or for nobody yet. */
const unicast = rangesOf(['2000::/3'])
const mapped = rangesOf(['::ffff:0:0/96'])

/** What an address in any textual form that getaddrinfo or a URL gives is for. Undefined: the text is no address. */
export function addressKind(address: string): AddressKind | undefined {
  const family = familyOf(address)
  if (family === undefined) return undefined
  for (const [kind, list] of lists) if (list.check(bare(address), family)) return kind
  if (family === 'ipv4' || mapped.check(bare(address), family) || unicast.check(bare(address), family)) return 'public'
  return 'reserved'
}

export function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6'
}

/** Without the zone, which says by which interface. */
export const bare = (address: string): string => address.replace(/%.*$/, '')

/** Throws an Error when one is no range. */
export function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address, bits, ...more] = range.split('/') as [string, string?]
    const family = familyOf(address)
    const most = family === 'ipv4' ? 32 : 128
    const prefix = bits === undefined ? most : Number(bits)
    if (family === undefined || (bits !== undefined && !/^\d+$/.test(bits)) || prefix > most || more.length > 0)
      throw new Error(`${JSON.stringify(range)} is no address and no range of addresses`)
    list.addSubnet(address, prefix, family)
  }
  return list
}
