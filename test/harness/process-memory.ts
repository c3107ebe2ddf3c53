import { readFileSync } from 'node:fs'

/** The most memory that a process has had resident at once, in MB, as the kernel has it (VmHWM). */
export const peakMemoryMb = (pid: number): number => readMb(pid, 'VmHWM')

/** What a process has resident now, in MB (VmRSS). */
export const memoryMb = (pid: number): number => Math.round(readMb(pid, 'VmRSS'))

function readMb(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  if (kib === undefined) throw new Error(`/proc/${pid}/status does not say ${field}`)
  return Number(kib) / 1024
}
