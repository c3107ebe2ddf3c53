import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url))
export const binDir = join(root, 'node_modules/.bin')

/** `npm ci`, when node_modules is not what package-lock.json says. */
export function installPackages(say) {
  if (arePackagesInstalled()) return
  say('installing packages (npm ci): the first time this takes a minute or two')
  // Development packages hold the ClickHouse engine and the tests: also where NODE_ENV=production is set.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const { status, error } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error(`npm ci failed (${error?.message ?? `exit code ${status}`})`)
  if (!existsSync(join(binDir, 'node'))) {
    throw new Error(
      'npm ci has not installed node_modules/.bin/node, which an install script brings. Run: npm ci --ignore-scripts=false',
    )
  }
}

/** npm keeps a lock file of what it really installed: every package we ask for must be in there, in the version we ask for. */
function arePackagesInstalled() {
  const installed = readPackages('node_modules/.package-lock.json')
  if (installed === undefined || !existsSync(join(binDir, 'node'))) return false
  return Object.entries(readPackages('package-lock.json') ?? {}).every(
    ([path, wanted]) => path === '' || wanted.optional || installed[path]?.version === wanted.version,
  )
}

function readPackages(file) {
  const path = join(root, file)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined
}
