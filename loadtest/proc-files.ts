/** CPU time of a process with all its threads, since its start. */
export interface CpuTime {
  readonly userMs: number
  readonly systemMs: number
}

/** The kernel counts in USER_HZ for user space, which is 100 on every Linux that Node runs on. */
const tickMs = 10

/** Reads /proc/PID/stat. The second field is the program's name in brackets, which may hold spaces and brackets itself. */
export function parseProcessStat(text: string): CpuTime {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const cpu = { userMs: Number(fields[11]) * tickMs, systemMs: Number(fields[12]) * tickMs }
  if (!Number.isFinite(cpu.userMs + cpu.systemMs)) throw new Error(`this is no /proc/PID/stat: ${text}`)
  return cpu
}

/** Reads the highest resident size so far (VmHWM) from /proc/PID/status. */
export function parseRssMaxMiB(text: string): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(text)
  if (match === null) throw new Error('this /proc/PID/status has no VmHWM')
  return Number(match[1]) / 1024
}

/** Reads the first line of /proc/stat: time that all cores together were busy, without what another guest of the host took. */
export function parseMachineBusyMs(text: string): number {
  const [, user, nice, system, , , irq, softirq] = text.split('\n', 1)[0]!.split(/\s+/).map(Number)
  const busyMs = (user! + nice! + system! + irq! + softirq!) * tickMs
  if (!Number.isFinite(busyMs)) throw new Error('this is no /proc/stat')
  return busyMs
}
