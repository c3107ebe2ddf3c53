import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Code, type Interceptor } from '@connectrpc/connect'
import { afterAll, expect, test } from 'vitest'
import { connectFerry, type FerryClient } from '../deploy/local/demo/ferry-client.ts'
import { Role } from '../proto/gen/ferry/v1/access_pb.ts'
import { UseCaseState } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { sampleCertificate, selfSignedCertificate } from '../runtime/sample-certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const adminToken = `ferry_${'a'.repeat(43)}`
const serverName = 'ferry.test'
const untilMs = Date.now() + 86_400_000
const clientCa = selfSignedCertificate('clients.test', untilMs)
const auditor = sampleCertificate('audit.test', untilMs, clientCa)
const own = selfSignedCertificate(serverName, untilMs)
const directory = mkdtempSync(join(tmpdir(), 'ferry-test-'))
const put = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}
const files = { ca: put('ca.pem', clientCa.cert), cert: put('cert.pem', own.cert), key: put('key.pem', own.key) }
/** Everybody who calls a control plane: workers, and one that hands a call to the leader. */
const calling = { FERRY_CONTROL_PLANE_CA_FILE: files.cert, FERRY_CONTROL_PLANE_SERVER_NAME: serverName }

const fleetOf = fleetOfFile({
  controlPlanes: 2,
  workers: 0,
  controlPlaneEnv: {
    ...calling,
    FERRY_ADMIN_TOKEN_SHA256: createHash('sha256').update(adminToken).digest('hex'),
    FERRY_TLS_CERTIFICATE_FILE: files.cert,
    FERRY_TLS_KEY_FILE: files.key,
    FERRY_TLS_CLIENT_CA_FILE: files.ca,
    FERRY_CERTIFICATE_ROLES: 'cn:audit.test=viewer@pay',
  },
  workerEnv: { ...calling, FERRY_CONTROL_PLANE_TLS: 'on' },
})

const clients: FerryClient[] = []
afterAll(() => {
  for (const client of clients) client.close()
  rmSync(directory, { recursive: true, force: true })
})

/** One for each replica: one of them leads, the other hands calls to it. */
function connectAs(token: string | undefined, actor = '', shown = { cert: '', key: '' }): [FerryClient, FerryClient] {
  const showing: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set('authorization', `Bearer ${token}`)
    if (actor !== '') request.header.set('ferry-actor', actor)
    return next(request)
  }
  const tls = { ca: own.cert, cert: shown.cert, key: shown.key, serverName }
  const both = fleetOf().controlPlanes.map(({ grpcAddress }) => connectFerry(grpcAddress, { interceptors: [showing], tls }))
  clients.push(...both)
  return both as [FerryClient, FerryClient]
}

test('with tokens and TLS workers deliver, teams see and act on their own use cases only, at whatever replica, and strangers on nothing', async () => {
  const fleet = fleetOf()
  const admins = connectAs(adminToken)
  const give = async (tokenId: string, role: Role, namespaces: string[], by = admins[0]) => {
    const { token, secret } = await by.tokens.createToken({ tokenId, token: { role, namespaces } })
    expect(token!.name).toBe(`tokens/${tokenId}`)
    return secret
  }
  const workerToken = await give('workers', Role.WORKER, ['*'])
  await fleet.startWorker({ FERRY_CONTROL_PLANE_TOKEN: workerToken })
  const shops = connectAs(await give('shop-ops', Role.EDITOR, ['shop']), 'ann')
  const pays = connectAs(await give('pay-ops', Role.OPERATOR, ['pay']))

  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(100))
  const names = ['namespaces/shop/useCases/orders', 'namespaces/pay/useCases/orders']
  await shops[1].useCases.createUseCase({ useCase: { name: names[0]!, spec: specOf(topic, endpoint) } })
  await admins[1].useCases.createUseCase({ useCase: { name: names[1]!, spec: specOf(topic, endpoint) } })
  await waitUntil('both are delivered', 30_000, () => endpoint.successes >= 200)

  for (const [owners, own, foreign] of [
    [shops, names[0]!, names[1]!],
    [pays, names[1]!, names[0]!],
  ] as const) {
    for (const owner of owners) {
      expect((await owner.useCases.listUseCases({})).useCases.map(({ name }) => name)).toEqual([own])
      expect(new Set((await owner.fleet.listLanes({})).lanes.map(({ useCase }) => useCase))).toEqual(new Set([own]))
      expect((await owner.deliveries.getLag({ useCase: own })).partitions).toHaveLength(2)
      const refused = { code: Code.PermissionDenied, message: expect.stringContaining('is of the namespace') }
      await expect(owner.useCases.getUseCase({ name: foreign })).rejects.toMatchObject(refused)
      await expect(owner.fleet.listLanes({ useCase: foreign })).rejects.toMatchObject(refused)
      await expect(owner.deliveries.getLag({ useCase: foreign })).rejects.toMatchObject(refused)
      const deliveries = { partition: 0, fromOffset: 0n }
      await expect(owner.deliveries.skipDeliveries({ useCase: foreign, deliveries, reason: 'not mine' })).rejects.toMatchObject(
        refused,
      )
      expect((await owner.fleet.listWorkers({})).workers).toHaveLength(1)
    }
  }
  await expect(pays[0].useCases.deleteUseCase({ name: names[1]! })).rejects.toMatchObject({ code: Code.PermissionDenied })
  await expect(shops[0].tokens.listTokens({})).rejects.toMatchObject({ code: Code.PermissionDenied })
  for (const token of [undefined, `ferry_${'b'.repeat(43)}`, workerToken])
    for (const client of connectAs(token))
      await expect(client.useCases.listUseCases({})).rejects.toMatchObject({
        code: token === workerToken ? Code.PermissionDenied : Code.Unauthenticated,
      })

  // The leader knows whose certificate it was that another replica has seen.
  for (const client of connectAs(undefined, '', auditor)) {
    expect(new Set((await client.fleet.listLanes({})).lanes.map(({ useCase }) => useCase))).toEqual(new Set([names[1]]))
    await expect(client.useCases.pauseUseCase({ name: names[1]!, reason: 'why' })).rejects.toMatchObject({
      code: Code.PermissionDenied,
    })
  }

  // The audit has who it was, also of a call that was handed to the leader, and shows each team its own.
  await shops[0].useCases.pauseUseCase({ name: names[0]!, reason: 'looking' })
  const deliveries = { partition: 0, fromOffset: 0n }
  for (const pay of pays)
    await expect(pay.deliveries.skipDeliveries({ useCase: names[1]!, deliveries, reason: 'no customer' })).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    })
  const changes = async (by: FerryClient) =>
    (await by.fleet.listChanges({})).changes.map(({ action, actor, resource }) => `${action} ${resource} ${actor}`)
  const pausing = `PAUSE ${names[0]} tokens/shop-ops for ann`
  const skipping = `SKIP_DELIVERIES ${names[1]} tokens/pay-ops`
  await waitUntil(
    'the audit has it',
    10_000,
    async () => (await changes(admins[1])).filter((each) => each === skipping).length === 2,
  )
  expect(await changes(pays[0])).toEqual([skipping, skipping, `CREATE ${names[1]} admin`])
  expect(await changes(shops[1])).toEqual([pausing, `CREATE ${names[0]} tokens/shop-ops for ann`])
  expect(await changes(admins[0])).toContain('CREATE_TOKEN tokens/pay-ops admin')

  // A revoked token does nothing more at any replica.
  await admins[1].tokens.revokeToken({ name: 'tokens/shop-ops', reason: 'ann has left' })
  await waitUntil('no replica takes it', 10_000, async () => {
    const answers = await Promise.allSettled(shops.map((each) => each.useCases.listUseCases({})))
    return answers.every(({ status }) => status === 'rejected')
  })
  const { useCase } = await admins[0].useCases.getUseCase({ name: names[0]! })
  expect(useCase!.status!.state).toBe(UseCaseState.PAUSED)
  expect(fleet.workers[0]!.describeEnd()).not.toContain(workerToken)
}, 90_000)
