import { generateKeyPairSync, sign } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { IncompleteReason, type VerifyRangeRequest, VerifyRangeResponseSchema } from '../../proto/gen/ferry/v1/verification_pb.ts'
import { VerificationService, VerificationState } from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import { TestServer } from '../test-server.ts'
import { TestTerminal } from '../test-terminal.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
const document = '{"complete":true}'
const name = 'namespaces/shop/useCases/orders/verifications/v1'

async function serve(counts: { published?: bigint; missing?: bigint; onTheWay?: bigint }, reasons: IncompleteReason[] = []) {
  const asked: VerifyRangeRequest[] = []
  const result = create(VerifyRangeResponseSchema, {
    total: counts,
    complete: reasons.length === 0,
    incompleteReasons: reasons,
    partitions: counts.missing === undefined ? [] : [{ partition: 3, counts, missing: [{ firstOffset: 5n, lastOffset: 6n }] }],
  })
  let polls = 0
  const server = await TestServer.start((router) => {
    router.service(DeliveryService, {
      verifyRange(request) {
        asked.push(request)
        return result
      },
    })
    router.service(VerificationService, {
      createVerification: () => ({ verification: { name } }),
      getVerification() {
        const done = ++polls > 1
        const state = done ? VerificationState.DONE : VerificationState.RUNNING
        const certificate = { document, signature: sign(null, Buffer.from(document), privateKey), keyId: 'k1' }
        const common = { name, useCase: 'namespaces/shop/useCases/orders', state, offsetsTotal: 10n, offsetsDone: 5n }
        return { verification: { ...common, ...(done && { result, certificate }) } }
      },
      listCertificateKeys: () => ({ keys: [{ keyId: 'k1', publicKey: pem }] }),
    })
  })
  return Object.assign(server, { asked })
}

const newFile = (): string => join(mkdtempSync(join(tmpdir(), 'ferry-cli-')), 'certificate.json')

test('the exit code tells complete from missing and from not complete yet', async () => {
  await using complete = await serve({ published: 7n })
  expect(await complete.ferry('verify orders 3/5-6 4')).toMatchObject({
    exitCode: 0,
    printed: expect.stringContaining('complete: each of 7 records'),
  })
  expect(complete.asked[0]!.ranges).toMatchObject([{ partition: 3, fromOffset: 5n, toOffset: 7n }, { partition: 4 }])
  await using missing = await serve({ published: 7n, missing: 2n }, [IncompleteReason.MISSING])
  const said = await missing.ferry('verify orders')
  expect(said).toMatchObject({ exitCode: 3, printed: expect.stringContaining('missing: 3/5-6\n') })
  expect(said.printed).toContain('2 of 7 records are MISSING')
  await using waiting = await serve({ published: 7n, onTheWay: 1n }, [IncompleteReason.ON_THE_WAY])
  expect(await waiting.ferry('verify orders')).toMatchObject({ exitCode: 4, printed: expect.stringContaining('ON_THE_WAY: ') })
  expect((await waiting.ferry('verify orders 3/5 --since 1h')).exitCode).toBe(2)
})

test('a certificate is counted beside the call, written to a file, and holds against the key', async () => {
  await using server = await serve({ published: 7n })
  const file = newFile()
  const done = await server.ferry(`verify orders --certificate ${file}`)
  expect(done).toMatchObject({ exitCode: 0, said: expect.stringContaining('signed with key k1') })
  expect(done.terminal.progressLines[0]).toContain(' 5 / 10   50%')
  expect(JSON.parse(readFileSync(file, 'utf8')).verification.certificate.document).toBe(document)
  expect(await server.ferry(`verifications check ${file}`)).toMatchObject({ exitCode: 0, printed: 'the signature holds\n' })
  const key = newFile()
  writeFileSync(key, pem)
  // With the archived key nothing need be asked.
  expect(
    (await server.ferry(`verifications check ${file} --public-key ${key}`, undefined, { FERRY_ADDRESS: '127.0.0.1:1' })).exitCode,
  ).toBe(0)
  writeFileSync(file, readFileSync(file, 'utf8').replace('true', 'false').replace('complete\\":true', 'complete\\":false'))
  expect(await server.ferry(`verifications check ${file}`)).toMatchObject({ exitCode: 4 })
  expect((await server.ferry(`verifications check ${key}`)).exitCode).toBe(2)
})

test('Ctrl-C leaves it counting and says how to follow it', async () => {
  await using server = await serve({ published: 7n })
  const terminal = new TestTerminal()
  terminal.progress = () => terminal.interrupt()
  const file = newFile()
  const left = await server.ferry(`verify orders --certificate ${file}`, terminal)
  expect(left).toMatchObject({ exitCode: 130, said: expect.stringContaining('ferry verifications watch shop/orders/v1') })
  expect(existsSync(file)).toBe(false)
})
