// Entry of every npm script: checks what the machine must have, sets up what can be set up, and runs the command's TypeScript
// with the Node of node_modules. Plain JavaScript without a dependency, since it runs before there is any.
// Says what it does on standard error only: standard output belongs to the command.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installKafka } from './setup/install-kafka.mjs'
import { binDir, installPackages, root } from './setup/install-packages.mjs'
import { installProgram, searchPath } from './setup/install-program.mjs'
import { missingPrerequisites } from './setup/prerequisites.mjs'
import { runEntry } from './setup/run-entry.mjs'

/** `privateParts`: it starts parts of its own to break them, so that addresses in the environment spare it nothing. */
const commands = {
  demo: { entry: 'deploy/local/demo/main.ts', programs: [] },
  local: { entry: 'deploy/local/local.ts', programs: [] },
  test: { entry: 'test/run.ts', programs: ['git', 'jar'], privateParts: true },
  chaos: { entry: 'test/chaos/run.ts', programs: [], privateParts: true },
  loadtest: { entry: 'loadtest/main.ts', programs: ['nginx'] },
  setup: { programs: [] },
}

const [name, ...args] = process.argv.slice(2)
const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined
if (command === undefined) fail(2, `usage: node deploy/local/run.mjs ${Object.keys(commands).join('|')} [arguments]`)

const startedMs = performance.now()
const given = (variable) => !command.privateParts && (process.env[variable] ?? '') !== ''
const needs = {
  kafka: !given('FERRY_KAFKA_BROKERS'),
  redis: !given('FERRY_REDIS_URL'),
  clickhouse: !given('FERRY_CLICKHOUSE_URL'),
  programs: command.programs,
}

try {
  const missing = await missingPrerequisites(needs)
  if (missing.length > 0) fail(2, `this is missing on this machine:\n${missing.map((line) => `  - ${line}`).join('\n')}`)
  if (needs.redis) installProgram('redis-server', say)
  if (command.programs.includes('nginx')) installProgram('nginx', say)
  installPackages(say)
  if (needs.kafka) installKafka(say)
} catch (error) {
  fail(1, error.message)
}
const tookMs = performance.now() - startedMs
if (tookMs > 1000) say(`set-up ready (${(tookMs / 1000).toFixed(1)} s)`)

if (command.entry !== undefined) {
  const entry = join(root, command.entry)
  if (!existsSync(entry)) fail(1, `there is no ${command.entry} in this version of Ferry: npm run ${name} has nothing to run`)
  const path = `${binDir}${delimiter}${searchPath()}`
  // What Node has compiled once is kept: every process of a stack starts with a third of the work.
  const compileCache = process.env.NODE_COMPILE_CACHE ?? join(root, '.local', 'compile-cache')
  const env = { ...process.env, PATH: path, NODE_COMPILE_CACHE: compileCache }
  process.exitCode = await runEntry(join(binDir, 'node'), [entry, ...args], env)
}

function say(line) {
  process.stderr.write(`ferry: ${line}\n`)
}

function fail(code, message) {
  say(message)
  process.exit(code)
}
