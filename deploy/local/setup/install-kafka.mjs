import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './install-packages.mjs'

const pom = join(root, 'deploy/local/kafka/pom.xml')
const home = join(root, '.local/kafka')

/** Kafka's jars from Maven Central into .local/kafka/lib, when the pom has changed since the last time. */
export function installKafka(say) {
  const lib = join(home, 'lib')
  const stamp = join(home, 'pom.sha256')
  const hash = createHash('sha256').update(readFileSync(pom)).digest('hex')
  if (existsSync(lib) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  say('fetching Kafka (44 MB of jars, by mvn)')
  mkdirSync(home, { recursive: true })
  // Beside the old ones, and put in their place when complete: an interrupted download leaves nothing half done.
  const fresh = join(home, `lib-${process.pid}`)
  const args = ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${fresh}`, '-DincludeScope=runtime']
  const { status, error } = spawnSync('mvn', args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true })
    throw new Error(`mvn could not fetch Kafka (${error?.message ?? `exit code ${status}`}): ${['mvn', ...args].join(' ')}`)
  }
  rmSync(lib, { recursive: true, force: true })
  renameSync(fresh, lib)
  writeFileSync(stamp, hash)
}
