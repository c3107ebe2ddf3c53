import { spawnSync } from 'node:child_process'
import { canInstall, isOnPath } from './install-program.mjs'

const nodeMajorMin = 20
const javaMajorMin = 17

const debian = (packages) => `on Debian and Ubuntu: apt-get install -y ${packages}`
const java = `install a JDK: ${debian('default-jdk-headless')}, on Fedora: dnf install java-latest-openjdk-devel, on macOS: brew install openjdk`
const howTo = {
  jar: java,
  mvn: `${debian('maven')}, on Fedora: dnf install maven, on macOS: brew install maven`,
  git: `${debian('git')}, on Fedora: dnf install git, on macOS: brew install git`,
  'redis-server': `${debian('redis-server')}, on Fedora: dnf install redis, on macOS: brew install redis; or set FERRY_REDIS_URL`,
  nginx: `${debian('nginx-light')}, on Fedora: dnf install nginx, on macOS: brew install nginx`,
}

/** What the set-up needs and cannot bring by itself: a line for each, with the command that does. */
export async function missingPrerequisites({ kafka, redis, clickhouse, programs }) {
  const missing = []
  const nodeMajor = Number(process.versions.node.split('.')[0])
  if (nodeMajor < nodeMajorMin) {
    missing.push(`Node ${nodeMajorMin} or newer (this is ${process.version}): https://nodejs.org/en/download`)
  }
  if (clickhouse && !hasEngine()) {
    missing.push(
      "Linux on x64 with glibc, for ClickHouse's engine from a package: run a ClickHouse server and set FERRY_CLICKHOUSE_URL, as http://127.0.0.1:8123",
    )
  }
  if (kafka) {
    const major = javaMajor()
    if (major === undefined) missing.push(`java ${javaMajorMin} or newer, for Kafka: ${java}`)
    else if (major < javaMajorMin) missing.push(`java ${javaMajorMin} or newer, for Kafka (this is ${major}): ${java}`)
  }
  const needed = [...(kafka ? ['mvn'] : []), ...(redis ? ['redis-server'] : []), ...programs]
  for (const program of needed) {
    if (!isOnPath(program) && !canInstall(program)) missing.push(`${program}: ${howTo[program]}`)
  }
  return missing
}

function hasEngine() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return false
  process.report.excludeNetwork = true
  return process.report.getReport().header.glibcVersionRuntime !== undefined
}

/** `openjdk version "17.0.15" 2025-04-15`, or of old `java version "1.8.0_402"`. */
function javaMajor() {
  const { stderr, error } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  const version = error ? null : /version "(?:1\.)?(\d+)/.exec(stderr)
  return version ? Number(version[1]) : undefined
}
