import { usageError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { ExitCode } from '../exit-code.ts'
import { byPlace, type Mistake, mistakeLine } from '../manifest/mistake.ts'
import { readFiles } from '../manifest/read-files.ts'
import { readUseCases } from '../manifest/read-use-cases.ts'
import { checkedNamespace, namespaceOf } from '../names.ts'
import type { Session } from '../session.ts'
import { carryOut } from './apply-changes.ts'
import { type Change, planChanges, planPrune } from './plan-changes.ts'
import { changeLines } from './show-changes.ts'

export interface ApplyOptions {
  readonly file: readonly string[]
  readonly dryRun?: boolean
  readonly prune?: boolean
  readonly yes?: boolean
}

/** Makes what is registered what the files say. Nothing is changed while any file has a mistake. */
export async function apply(session: Session, { file, dryRun = false, prune = false, yes }: ApplyOptions): Promise<ExitCode> {
  const { terminal, settings } = session
  const namespace = prune ? pruned(settings.namespace) : undefined
  const files = await readFiles(file, () => terminal.readStdin())
  const { manifests, mistakes } = readUseCases(files, { namespace: settings.namespace, env: terminal.env })
  for (const { file, line, useCase } of manifests)
    if (namespace !== undefined && useCase.name !== '' && namespaceOf(useCase.name) !== namespace)
      mistakes.push({
        file,
        line,
        field: 'name',
        message: `${useCase.name} is not in namespace ${namespace}, which --prune is for`,
      })
  if (manifests.length === 0 && mistakes.length === 0) throw usageError(`no use case in ${file.join(', ')}`)
  const planned = await planChanges(session, manifests, mistakes)
  refuse([...mistakes, ...planned.mistakes])
  const changes: Change[] = [...planned.changes]
  if (namespace !== undefined) changes.push(...(await planPrune(session, namespace, manifests)))

  const isText = session.format === 'table'
  for (const change of changes) if (isText) terminal.out(changeLines(session, change))
  const pending = changes.filter(({ kind }) => kind !== 'same')
  if (dryRun || pending.length === 0) {
    if (!isText)
      await showOutcomes(
        session,
        changes.map((change) => ({ change, done: false })),
      )
    else if (dryRun && pending.length > 0) terminal.err('nothing was changed: --dry-run\n')
    return ExitCode.done
  }
  await confirm(session, `Apply ${pending.length} ${pending.length === 1 ? 'change' : 'changes'}?`, yes)
  const outcomes = await carryOut(session, pending)
  if (!isText)
    await showOutcomes(session, [
      ...changes.filter(({ kind }) => kind === 'same').map((change) => ({ change, done: true })),
      ...outcomes,
    ])
  return outcomes.every(({ done }) => done) ? ExitCode.done : ExitCode.failed
}

function pruned(namespace: string | undefined): string {
  if (namespace === undefined)
    throw usageError(
      '--prune deletes what a namespace has beside the files: which namespace?',
      'set --namespace or FERRY_NAMESPACE',
    )
  return checkedNamespace(namespace)
}

function refuse(mistakes: readonly Mistake[]): void {
  if (mistakes.length === 0) return
  const count = `${mistakes.length} ${mistakes.length === 1 ? 'mistake' : 'mistakes'}`
  throw usageError(`${count}; nothing was changed`, ...[...mistakes].sort(byPlace).map(mistakeLine))
}

async function showOutcomes(
  session: Session,
  outcomes: readonly { change: Change; done: boolean; error?: string }[],
): Promise<void> {
  const { formatted } = await import('../output/show.ts')
  const values = outcomes.map(({ change, done, error }) => ({
    name: change.name,
    action: change.kind,
    done: done && change.kind !== 'same',
    differences: change.differences.map(({ field, before = null, after = null }) => ({ field, before, after })),
    ...(error !== undefined && { error }),
  }))
  session.terminal.out(await formatted(values, session.format === 'yaml' ? 'yaml' : 'json'))
}
