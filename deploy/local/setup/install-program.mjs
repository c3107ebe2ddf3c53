import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Programs that the set-up may install, with their Debian package and the service that the package starts unasked. */
const packages = {
  'redis-server': { debian: 'redis-server', service: 'redis-server' },
  nginx: { debian: 'nginx-light', service: 'nginx' },
}

/** Debian keeps servers in /usr/sbin, which is not on every user's PATH. */
export const searchPath = () => `${process.env.PATH}${delimiter}/usr/sbin`

export function isOnPath(program) {
  return searchPath()
    .split(delimiter)
    .some((dir) => {
      try {
        accessSync(join(dir, program), constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** Only where it needs no question: as root, on a system of Debian's family. */
export function canInstall(program) {
  return Object.hasOwn(packages, program) && process.getuid?.() === 0 && isDebian() && isOnPath('apt-get')
}

function isDebian() {
  return existsSync('/etc/os-release') && /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'))
}

/** Does nothing when the program is there. Throws when it cannot be installed. */
export function installProgram(program, say) {
  if (isOnPath(program)) return
  const { debian, service } = packages[program]
  say(`installing ${program} (apt-get install ${debian})`)
  const apt = ['apt-get', '-q', '-y', '-o', 'Dpkg::Use-Pty=0']
  run([...apt, 'update'])
  run([...apt, 'install', '--no-install-recommends', debian])
  if (!isOnPath(program)) throw new Error(`apt-get installed ${debian}, and still there is no ${program} on the PATH`)
  // Ferry runs a process of its own; a service on the default port would only be in its way.
  const stop = existsSync('/run/systemd/system') ? ['systemctl', 'disable', '--now', service] : ['service', service, 'stop']
  spawnSync(stop[0], stop.slice(1), { stdio: 'ignore' })
}

function run([command, ...args]) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, signal, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], env })
  if (status !== 0)
    throw new Error(`${[command, ...args].join(' ')} failed (${error?.message ?? signal ?? `exit code ${status}`})`)
}
