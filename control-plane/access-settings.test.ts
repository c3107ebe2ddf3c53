import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ConfigError } from '../runtime/config.ts'
import { selfSignedCertificate } from '../runtime/sample-certificate.ts'
import { isOpen } from './access-settings.ts'
import { readControlPlaneConfig } from './config.ts'

const directory = mkdtempSync(join(tmpdir(), 'ferry-test-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const put = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}
const certificate = selfSignedCertificate('ferry.test', Date.now() + 86_400_000)
const files = { cert: put('cert.pem', certificate.cert), key: put('key.pem', certificate.key) }
const hash = 'a'.repeat(64)

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
const problems = (env: Record<string, string>) => problemsOf(() => readControlPlaneConfig(env))

test('without a way to know who calls only loopback is served, and another address is refused with what to do', () => {
  expect(isOpen(readControlPlaneConfig({}))).toBe(true)
  for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '[::1]'])
    expect(problems({ FERRY_GRPC_ADDRESS: `${host}:7070`, FERRY_HTTP_ADDRESS: `${host}:7071` }), host).toEqual([])
  for (const host of ['0.0.0.0', '[::]', '10.0.0.1', 'ferry.internal', '192.168.0.1'])
    expect(problems({ FERRY_GRPC_ADDRESS: `${host}:7070`, FERRY_HTTP_ADDRESS: `${host}:7071` }), host).toEqual([
      expect.stringContaining('FERRY_GRPC_ADDRESS'),
      expect.stringContaining('only loopback is served: set FERRY_ADMIN_TOKEN_SHA256'),
    ])
  const open = { FERRY_GRPC_ADDRESS: '0.0.0.0:7070', FERRY_ADMIN_TOKEN_SHA256: `${hash}, ${hash.toUpperCase()}` }
  expect(isOpen(readControlPlaneConfig(open))).toBe(false)
})

test('what is wrong with tokens, certificates and their roles is told by the setting', () => {
  expect(problems({ FERRY_ADMIN_TOKEN_SHA256: 'hunter2' })).toEqual([
    expect.stringMatching(/^FERRY_ADMIN_TOKEN_SHA256: must be SHA-256 hashes.*entry 1 is none$/),
  ])
  const tls = { FERRY_TLS_CERTIFICATE_FILE: files.cert, FERRY_TLS_KEY_FILE: files.key }
  const roles = 'dns:w=worker'
  const wrong: [Record<string, string>, string][] = [
    [{ FERRY_TLS_CERTIFICATE_FILE: files.cert }, 'FERRY_TLS_CERTIFICATE_FILE and FERRY_TLS_KEY_FILE must be given both'],
    [{ ...tls, FERRY_TLS_KEY_FILE: files.cert }, 'FERRY_TLS_KEY_FILE: the file has no private key in PEM'],
    [{ ...tls, FERRY_CERTIFICATE_ROLES: roles }, 'must be given both, or neither'],
    [{ ...tls, FERRY_TLS_CLIENT_CA_FILE: files.cert }, 'must be given both, or neither'],
    [{ FERRY_TLS_CLIENT_CA_FILE: files.cert, FERRY_CERTIFICATE_ROLES: roles }, 'client certificates are shown by TLS only'],
    [{ FERRY_CERTIFICATE_ROLES: 'w=worker' }, 'FERRY_CERTIFICATE_ROLES="w=worker": must be dns:'],
    [{ FERRY_CONTROL_PLANE_CA_FILE: files.cert }, 'set FERRY_TLS_CERTIFICATE_FILE, or take them away'],
  ]
  for (const [env, message] of wrong) expect(problems(env).join(), message).toContain(message)
  const whole = { ...tls, FERRY_TLS_CLIENT_CA_FILE: files.cert, FERRY_CERTIFICATE_ROLES: roles, FERRY_GRPC_ADDRESS: '0.0.0.0:1' }
  expect(problems(whole)).toEqual([])
})
