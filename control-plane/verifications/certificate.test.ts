import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { noCounts } from '../attempts/range-counts.ts'
import { type Certified, certify } from './certificate.ts'
import { CertificateKeys, readCertificateKeys } from './certificate-keys.ts'
import { readCertificateSettings } from './verification-settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'ferry-test-'))
afterAll(() => rmSync(directory, { recursive: true }))
const page = readFileSync(join(import.meta.dirname, '../../docs/verify.md'), 'utf8')

const counts = {
  ...{ ...noCounts, offsets: 12, published: 10, holes: 2, delivered: 8, failed: 1, missing: 1, attempts: 11 },
  outcomeCounts: new Map([
    ['DELIVERED UNSPECIFIED', 8],
    ['FAILED TIMEOUT', 1],
  ]),
  holeCounts: new Map([['TRANSACTION', 2]]),
}
const certified: Certified = {
  verification: 'namespaces/a/useCases/b/verifications/v-1',
  useCase: { name: 'namespaces/a/useCases/b', uid: 'uid-1', revision: 3n },
  ...{ cluster: 'default', topic: 'orders', ferryVersion: '1.2.3' },
  asked: { ranges: [{ partition: 0, from: 5, to: undefined }], toMs: 1_800_000_000_000 },
  verified: {
    ...{ total: counts, spooledInserts: 0, complete: false, incompleteReasons: ['MISSING'], warnings: [], topicId: 'tid' },
    ...{ asOfMs: 1_800_000_000_123 },
    partitions: [{ partition: 0, from: 5, to: 17, counts, missing: [{ first: 7, last: 7 }], floor: 17 }],
  },
}

const newKey = () =>
  generateKeyPairSync('ed25519', {
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
    publicKeyEncoding: { format: 'pem', type: 'spki' },
  })
const own = newKey()

test('a certificate has everything that was counted, in a form that has one text', () => {
  const { document, keyId } = certify(certified, readCertificateKeys(own.privateKey))
  expect(document).toBe(certify({ ...certified }, readCertificateKeys(own.privateKey)).document)
  const told = {
    ...{ offsets: 12, published: 10, holes: 2, delivered: 8, failed: 1, skipped: 0, superseded: 0, onTheWay: 0, missing: 1 },
    ...{ expired: 0, repeated: 0, attempts: 11, holeCounts: [{ kind: 'TRANSACTION', count: 2 }] },
    outcomeCounts: [
      { outcome: 'DELIVERED', count: 8 },
      { outcome: 'FAILED', reason: 'TIMEOUT', count: 1 },
    ],
  }
  expect(JSON.parse(document)).toEqual({
    ...{ format: 'ferry.certificate.v1', ferryVersion: '1.2.3', verification: certified.verification, keyId },
    useCase: { name: 'namespaces/a/useCases/b', uid: 'uid-1', revision: 3 },
    ...{ cluster: 'default', topic: 'orders', topicId: 'tid' },
    asked: { ranges: [{ partition: 0, fromOffset: 5 }], toTime: '2027-01-15T08:00:00.000Z' },
    ...{ verifyTime: '2027-01-15T08:00:00.123Z', complete: false, incompleteReasons: ['MISSING'], warnings: [] },
    ...{ spooledInserts: 0, total: told },
    partitions: [
      { partition: 0, fromOffset: 5, toOffset: 17, floor: 17, counts: told, missing: [{ firstOffset: 7, lastOffset: 7 }] },
    ],
  })
})

/** The answer of GetVerification over HTTP, and the key, as files. */
function archive(change: (document: string) => string = (same) => same, keys = readCertificateKeys(own.privateKey)): string[] {
  const { document, signature, keyId } = certify(certified, keys)
  const certificate = { document: change(document), signature: signature.toString('base64'), keyId }
  const [answer, key] = [join(directory, 'answer.json'), join(directory, 'key.pem')]
  writeFileSync(answer, JSON.stringify({ verification: { certificate } }))
  writeFileSync(key, own.publicKey)
  return [answer, key]
}

function run(command: string, ...args: string[]): { ok: boolean; output: string } {
  try {
    return { ok: true, output: execFileSync(command, args, { cwd: directory, encoding: 'utf8', stdio: 'pipe' }) }
  } catch (error) {
    return { ok: false, output: String((error as { stdout?: string }).stdout) }
  }
}

const block = (mark: string): string =>
  page.split(`<!-- tested: ${mark} -->\n`)[1]!.replace(/^```\w+\n([\s\S]*?)```[\s\S]*$/, '$1')
const forged = (document: string): string => document.replace('"missing":1', '"missing":0')

test('the script of docs/verify.md tells a certificate from one that was changed, and from one without a signature', () => {
  const script = join(directory, 'check.mjs')
  writeFileSync(script, block('check.mjs'))
  expect(run(process.execPath, script, ...archive())).toMatchObject({
    ok: true,
    output: expect.stringMatching(/holds.*missing: 1/s),
  })
  expect(run(process.execPath, script, ...archive(forged))).toMatchObject({
    ok: false,
    output: expect.stringMatching(/^NOT SIGNED/),
  })
  const unsigned = archive((same) => same, new CertificateKeys(undefined, []))
  expect(run(process.execPath, script, ...unsigned).ok).toBe(false)
})

test('so do the lines for openssl', (context) => {
  const check = () => run('bash', '-ec', block('openssl'))
  if (!run('bash', '-c', 'command -v jq && openssl version | grep -q "^OpenSSL 3"').ok) context.skip('no jq or no openssl 3')
  archive()
  expect(check()).toMatchObject({ ok: true, output: expect.stringContaining('Signature Verified Successfully') })
  archive(forged)
  expect(check().ok).toBe(false)
})

test('without a key a certificate says that it is not signed', () => {
  const { document, signature, keyId } = certify(certified, readCertificateKeys(''))
  expect([signature.length, keyId, JSON.parse(document).keyId]).toEqual([0, '', null])
})

test('the first key signs, and public keys after it are listed', () => {
  const older = newKey()
  const keys = readCertificateKeys(`${own.privateKey}\n${older.publicKey}`)
  expect(keys.list.map((each) => each.publicKey)).toEqual([own.publicKey, older.publicKey])
  expect(keys.signingId).toBe(keys.list[0]!.id)
  expect(readCertificateKeys('').list).toEqual([])
})

test('what is no key is refused without repeating it', () => {
  const { privateKey: rsa } = generateKeyPairSync('rsa', {
    ...{ modulusLength: 2048, publicKeyEncoding: { format: 'pem', type: 'spki' } },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  })
  const damaged = own.privateKey.replace(/\n.{8}/, '\nAAAAAAAA')
  const wrong: [text: string, why: RegExp][] = [
    ['secret words', /must have an Ed25519 private key in PEM first/],
    [own.publicKey, /block 1 is none/],
    [damaged, /block 1 is none/],
    [own.privateKey + own.privateKey, /block 2 is none/],
    [rsa, /block 1 is a key of rsa/],
  ]
  for (const [text, why] of wrong) {
    expect(() => readCertificateKeys(text)).toThrow(why)
    const [, inner = text] = text.split('\n')
    expect(() => readCertificateKeys(text)).not.toThrow(inner)
  }
})

test('the key comes from the environment or from a file, and what is wrong with it names the setting only', () => {
  const file = join(directory, 'own.pem')
  writeFileSync(file, own.privateKey)
  const read = (certificateKey: string, certificateKeyFile: string) =>
    readCertificateSettings({ certificateKey, certificateKeyFile })
  for (const { keys, problems } of [read(own.privateKey, ''), read('', file)])
    expect([keys.list[0]?.publicKey, problems]).toEqual([own.publicKey, []])
  expect(read('', '').keys.signingId).toBeUndefined()
  expect(read('', join(directory, 'none.pem')).problems).toEqual([
    expect.stringMatching(/^FERRY_CERTIFICATE_KEY_FILE=.*cannot be read/),
  ])
  expect(read(own.privateKey, file).problems).toEqual([expect.stringMatching(/both given/)])
  const [problem] = read('a secret', '').problems
  expect(problem).toMatch(/^FERRY_CERTIFICATE_KEY: must have an Ed25519/)
  expect(problem).not.toContain('a secret')
})
