import type { Command, Option } from 'commander'
import type { Settings } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

/** Whoever presses Tab waits for it. */
const serverMsMax = 2000

/** Prints what the last of the words may become, one a line; nothing where a file may stand. */
export async function complete(terminal: Terminal, program: Command, words: readonly string[]): Promise<void> {
  const before = words.slice(0, -1)
  const last = words.at(-1) ?? ''
  const { command, free, open } = walk(program, before)
  const candidates =
    open !== undefined
      ? (open.argChoices ?? [])
      : last.startsWith('-')
        ? flagsOf(command, program)
        : await next(terminal, program, command, free, before)
  terminal.out(
    candidates
      .filter((candidate) => candidate.startsWith(last))
      .map((candidate) => `${candidate}\n`)
      .join(''),
  )
}

/** The command that the words lead to, how many arguments it has already, and the flag that waits for its value. */
function walk(program: Command, words: readonly string[]): { command: Command; free: number; open: Option | undefined } {
  let command = program
  let free = 0
  let open: Option | undefined
  for (const word of words) {
    if (open !== undefined) open = undefined
    else if (word.startsWith('-'))
      open = [...command.options, ...program.options].find(
        ({ short, long, required }) => required && (word === short || word === long),
      )
    else {
      const inner = command.commands.find((each) => each.name() === word)
      if (inner === undefined) free++
      else command = inner
    }
  }
  return { command, free, open }
}

const flagsOf = (command: Command, program: Command): string[] =>
  [...new Set([...command.options, ...program.options])].flatMap(({ long, hidden }) => (long && !hidden ? [long] : []))

async function next(
  terminal: Terminal,
  program: Command,
  command: Command,
  free: number,
  words: readonly string[],
): Promise<readonly string[]> {
  const inner = command.commands.map((each) => each.name()).filter((name) => !name.startsWith('_'))
  if (inner.length > 0 && free === 0) return inner
  const { registeredArguments } = command
  const argument = registeredArguments[free] ?? (registeredArguments.at(-1)?.variadic ? registeredArguments.at(-1) : undefined)
  if (argument === undefined) return []
  if (argument.argChoices !== undefined) return argument.argChoices
  try {
    return await namesOf(argument.name(), terminal, program, words)
  } catch {
    // Nobody reads an error in the middle of a line.
    return []
  }
}

async function namesOf(argument: string, terminal: Terminal, program: Command, words: readonly string[]): Promise<string[]> {
  if (!['use-case', 'batch', 'worker'].includes(argument)) return []
  const { readSettings } = await import('../settings.ts')
  program.parseOptions([...words])
  const settings: Settings = { ...(await readSettings(program.opts(), terminal.env)), timeoutMs: serverMsMax }
  const { connect } = await import('../connect.ts')
  const { shortChildName, shortName } = await import('../names.ts')
  const ferry = connect(settings, terminal.interrupted)
  try {
    if (argument === 'worker') return (await ferry.fleet.listWorkers({})).workers.map(({ instance }) => instance)
    if (argument === 'batch') {
      const { retryBatches } = await ferry.retryBatches.listRetryBatches({ pageSize: 50 })
      return retryBatches.map(({ name }) => shortChildName(name))
    }
    const { namespace } = settings
    const parent = namespace === undefined ? '' : `namespaces/${namespace}`
    const { useCases } = await ferry.useCases.listUseCases({ parent, pageSize: 1000 })
    const names = useCases.map(({ name }) => shortName(name))
    return namespace === undefined ? names : [...names.map((name) => name.slice(namespace.length + 1)), ...names]
  } finally {
    ferry.close()
  }
}
