import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { isAlive } from '../../test/is-alive.ts'

const dir = mkdtempSync(join(tmpdir(), 'ferry-run-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const runFile = join(import.meta.dirname, 'run.mjs')
const isRoot = process.getuid?.() === 0

function run(command: string, env: Record<string, string>): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [runFile, command], { env, encoding: 'utf8' })
}

function program(binDir: string, name: string, script: string): void {
  writeFileSync(join(binDir, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(binDir, name), 0o755)
}

test('everything that is missing is named at once, each with the command that installs it', () => {
  const { status, stdout, stderr } = run('test', { PATH: join(dir, 'nothing-here') })
  expect(status).toBe(2)
  expect(stdout).toBe('')
  for (const words of ['java 17', 'default-jdk', 'mvn: ', 'apt-get install -y maven', 'redis-server: ', 'git: ', 'jar: ']) {
    expect(stderr).toContain(words)
  }
})

test('a java that is too old is named with its version', () => {
  const binDir = mkdtempSync(join(dir, 'old-java-'))
  program(binDir, 'java', `echo 'openjdk version "11.0.22" 2024-01-16' >&2`)
  program(binDir, 'mvn', 'exit 0')
  program(binDir, 'redis-server', 'exit 0')
  const { status, stderr } = run('setup', { PATH: binDir })
  expect(status).toBe(2)
  expect(stderr).toContain('java 17 or newer, for Kafka (this is 11)')
})

test('who brings Kafka, Redis and ClickHouse needs nothing for them, except for tests', () => {
  const env = {
    PATH: join(dir, 'nothing-here'),
    FERRY_KAFKA_BROKERS: 'kafka:9092',
    FERRY_REDIS_URL: 'redis://redis:6379',
    FERRY_CLICKHOUSE_URL: 'http://clickhouse:8123',
  }
  expect(run('setup', env)).toMatchObject({ status: 0, stdout: '', stderr: '' })
  expect(run('test', env).stderr).toContain('redis-server: ')
})

test.runIf(isRoot)('redis-server is installed by apt-get, after an update, and only when it is missing', () => {
  const binDir = mkdtempSync(join(dir, 'apt-'))
  const calls = join(binDir, 'calls')
  program(
    binDir,
    'apt-get',
    `echo "$@" >> ${calls}; case "$*" in *install*) printf '#!/bin/sh\\n' > ${binDir}/redis-server; /bin/chmod +x ${binDir}/redis-server;; esac`,
  )
  const env = { PATH: binDir, FERRY_KAFKA_BROKERS: 'kafka:9092' }
  expect(run('setup', env).status).toBe(0)
  expect(run('setup', env).status).toBe(0)
  const [update, install, ...more] = readFileSync(calls, 'utf8').trim().split('\n')
  expect(update).toMatch(/ update$/)
  expect(install).toMatch(/ install .*redis-server$/)
  expect(more).toEqual([])
})

test('an unknown command is refused with the ones there are', () => {
  expect(run('constructor', { PATH: '' })).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('demo|local|test|chaos|loadtest|setup'),
  })
})

test('signals, exit code and standard streams are those of the command, also when its caller is killed', async () => {
  const script = `
    process.on('SIGINT', () => process.exit(7))
    process.on('SIGTERM', () => process.exit(8))
    setInterval(() => {}, 1000)
    console.log(process.pid)`
  const { href } = new URL('./setup/run-entry.mjs', import.meta.url)
  const caller = `import(${JSON.stringify(href)}).then(async ({ runEntry }) => {
    process.exitCode = await runEntry(process.execPath, ['-e', ${JSON.stringify(script)}], process.env)
  })`
  const start = async () => {
    const child = spawn(process.execPath, ['-e', caller], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(child.stdout, 'data')
    return { child, pid: Number(line) }
  }
  const asked = await start()
  asked.child.kill('SIGINT')
  expect(await once(asked.child, 'exit')).toEqual([7, null])

  const killed = await start()
  expect(isAlive(killed.pid)).toBe(true)
  killed.child.kill('SIGKILL')
  await vi.waitFor(() => expect(isAlive(killed.pid)).toBe(false), { timeout: 5_000 })
})
