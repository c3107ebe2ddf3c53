import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressKind } from './address-kind.ts'
import { readEgressRules } from './egress-rules.ts'

const host = (url: string): string => new URL(url).hostname

describe('with nothing allowed', () => {
  const rules = readEgressRules('')

  test.each([
    ...['http://127.0.0.1', 'http://127.1', 'http://2130706433', 'http://0x7f.0.0.1', 'http://0177.0.0.1', 'http://①②⑦.0.0.1'],
    ...[
      'http://[::1]',
      'http://[0:0:0:0:0:0:0:1]',
      'http://[::ffff:127.0.0.1]',
      'http://[::ffff:7f00:1]',
      'http://[::127.0.0.1]',
    ],
    ...[
      'http://0.0.0.0',
      'http://0',
      'http://[::]',
      'http://10.1.2.3',
      'http://172.31.255.255',
      'http://192.168.0.1',
      'http://[fd12::1]',
    ],
    ...[
      'http://100.64.0.1',
      'http://169.254.1.1',
      'http://[fe80::1]',
      'http://[fec0::1]',
      'http://169.254.169.254',
      'http://0xa9fea9fe',
    ],
    ...['http://[::ffff:169.254.169.254]', 'http://[fd00:ec2::254]', 'http://100.100.100.200', 'http://168.63.129.16'],
    ...['http://[64:ff9b::7f00:1]', 'http://[64:ff9b:1::1]', 'http://[2002:7f00:1::]', 'http://192.88.99.1', 'http://[2001::1]'],
    ...[
      'http://224.0.0.1',
      'http://[ff02::1]',
      'http://255.255.255.255',
      'http://198.18.0.1',
      'http://192.0.2.1',
      'http://[2001:db8::1]',
    ],
    ...['http://localhost', 'http://LOCALHOST.', 'http://a.localhost', 'http://metadata.google.internal', 'http://[100::1]'],
  ])('%s is refused', (url) => {
    expect(rules.hostProblem(host(url))).toMatch(/FERRY_EGRESS_ALLOW/)
  })

  test.each([
    'http://8.8.8.8',
    'http://[2606:4700::1111]',
    'http://[::ffff:8.8.8.8]',
    'http://orders.example',
    'http://172.32.0.1',
  ])('%s is free', (url) => {
    expect(rules.hostProblem(host(url))).toBeUndefined()
  })

  test('a name that leads to a private address is refused where its address is known', () => {
    expect(rules.addressProblem('10.0.0.5', 'orders.example')).toBe(
      'orders.example has the address 10.0.0.5, which is private, and FERRY_EGRESS_ALLOW does not allow it',
    )
    expect(rules.addressProblem('fe80::1%eth0', 'orders.example')).toMatch(/link-local/)
    expect(rules.addressProblem('nonsense', 'orders.example')).toMatch(/no address/)
  })
})

describe('an allowed', () => {
  test('range or address opens itself, whatever it is for, and nothing beside it', () => {
    const rules = readEgressRules('10.1.0.0/16, 169.254.169.254,fd00::/8')
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '169.254.169.254', 'fd01::2'])
      expect(rules.addressProblem(address, 'x')).toBeUndefined()
    for (const address of ['10.2.0.1', '169.254.169.253', '127.0.0.1', '::1'])
      expect(rules.addressProblem(address, 'x')).toBeDefined()
  })

  test('host opens private addresses under its name only, and never metadata', () => {
    const rules = readEgressRules('orders.internal,*.svc.cluster.local')
    expect(rules.addressProblem('10.0.0.1', 'orders.internal')).toBeUndefined()
    expect(rules.addressProblem('10.0.0.1', 'Orders.Internal.')).toBeUndefined()
    expect(rules.addressProblem('127.0.0.1', 'a.b.svc.cluster.local')).toBeUndefined()
    expect(rules.addressProblem('10.0.0.1', 'svc.cluster.local')).toBeDefined()
    expect(rules.addressProblem('10.0.0.1', 'evil-svc.cluster.local')).toBeDefined()
    expect(rules.addressProblem('10.0.0.1', 'xorders.internal')).toBeDefined()
    expect(rules.addressProblem('169.254.169.254', 'orders.internal')).toBeDefined()
    expect(rules.addressProblem('224.0.0.1', 'orders.internal')).toBeDefined()
  })

  test('kind opens all of its addresses', () => {
    const rules = readEgressRules('loopback')
    for (const name of ['localhost', '127.0.0.1', '[::1]']) expect(rules.hostProblem(name)).toBeUndefined()
    expect(rules.hostProblem('10.0.0.1')).toBeDefined()
    expect(readEgressRules('private').hostProblem('192.168.1.1')).toBeUndefined()
    expect(readEgressRules('private').hostProblem('127.0.0.1')).toBeDefined()
  })
})

test.each(['10.0.0.0/33', '1.2.3', '10.0.0.0/x', 'http://x', 'a b', '*', 'fe80::/129', '10.0.0.0/8/9'])(
  '%s is no entry',
  (entry) => {
    expect(() => readEgressRules(entry)).toThrow()
  },
)

test('an IPv4 address is of the same kind however IPv6 maps it', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number]
      const kind = addressKind(address)
      expect(addressKind(`::ffff:${address}`)).toBe(kind)
      expect(addressKind(`::ffff:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`)).toBe(kind)
    }),
  )
})
