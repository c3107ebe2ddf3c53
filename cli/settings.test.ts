import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSettings } from './settings.ts'

const none = { XDG_CONFIG_HOME: '/there-is-no-such-directory' }

function configFile(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'ferry-cli-')), 'config.yaml')
  writeFileSync(path, text)
  return path
}

test('a flag goes before the environment, that before the context, that before the default', async () => {
  const config = configFile(
    'current: prod\ncontexts:\n  prod: {address: "https://prod:7070", namespace: shop}\n  dev: {address: dev:7070}\n',
  )
  const read = async (flags: object, env: object) => {
    const { address, addressFrom, namespace } = await readSettings({ config, ...flags }, { ...none, ...env })
    return [address.origin, addressFrom, namespace]
  }
  expect(await read({}, {})).toEqual(['https://prod:7070', 'context prod', 'shop'])
  expect(await read({ context: 'dev' }, {})).toEqual(['http://dev:7070', 'context dev', undefined])
  expect(await read({}, { FERRY_CONTEXT: 'dev' })).toEqual(['http://dev:7070', 'context dev', undefined])
  expect(await read({}, { FERRY_ADDRESS: 'env:1', FERRY_NAMESPACE: 'crm' })).toEqual(['http://env:1', 'FERRY_ADDRESS', 'crm'])
  expect(await read({ address: 'flag:1', namespace: 'x' }, { FERRY_ADDRESS: 'env:1' })).toEqual([
    'http://flag:1',
    '--address',
    'x',
  ])
  expect((await readSettings({}, none)).address.origin).toBe('http://localhost:7070')
})

test('a token does not travel in the clear unless that is said', async () => {
  const env = { ...none, FERRY_TOKEN: 't' }
  await expect(readSettings({ address: 'ferry.example:7070' }, env)).rejects.toThrow('for everybody to read')
  expect((await readSettings({ address: 'http://ferry.example:7070' }, env)).token).toBe('t')
  expect((await readSettings({ address: 'https://ferry.example:7070' }, env)).token).toBe('t')
  expect((await readSettings({}, env)).token).toBe('t')
})

test('a token may be in a file', async () => {
  const file = configFile('secret\n')
  expect((await readSettings({ tokenFile: file }, none)).token).toBe('secret')
  expect((await readSettings({}, { ...none, FERRY_TOKEN_FILE: file })).token).toBe('secret')
  const config = configFile(`current: a\ncontexts: {a: {token_file: ${JSON.stringify(file)}}}\n`)
  expect((await readSettings({ config }, none)).token).toBe('secret')
})

test('a CA means TLS, and a client certificate needs its key', async () => {
  const ca = configFile('pem')
  expect((await readSettings({ ca, address: 'a:1' }, none)).address.origin).toBe('https://a:1')
  await expect(readSettings({ ca, address: 'http://a:1' }, none)).rejects.toThrow('has no TLS')
  await expect(readSettings({ clientCert: ca }, none)).rejects.toThrow('needs its private key')
  await expect(readSettings({ ca: '/nowhere.pem' }, none)).rejects.toThrow('cannot read /nowhere.pem (--ca)')
})

test('what is wrong with a config file is said, all of it', async () => {
  const config = configFile('curent: a\ncontexts:\n  a: {adress: x, namespace: 5}\n  b: 7\n')
  const error = await readSettings({ config }, none).catch((each) => each)
  expect(error.hints).toEqual([
    'curent: there is no such field; it has `current` and `contexts`',
    'contexts.a.adress: there is no such field; there are address, namespace, token_file, ca, client_cert, client_key',
    'contexts.a.namespace: must be text',
    'contexts.b: must have some of address, namespace, token_file, ca, client_cert, client_key',
  ])
  await expect(readSettings({ config: '/nowhere' }, none)).rejects.toThrow('cannot read the config file /nowhere')
  await expect(readSettings({ context: 'x' }, none)).rejects.toThrow('there is no context "x"')
  await expect(readSettings({ config: configFile('[') }, none)).rejects.toThrow('is no YAML')
})

test('an address is a host and a port', async () => {
  for (const address of ['', 'a b', 'http://a/path', 'ftp://x', 'http://u@h:1']) {
    if (address !== '') await expect(readSettings({ address }, none), address).rejects.toThrow('is no address')
  }
})
