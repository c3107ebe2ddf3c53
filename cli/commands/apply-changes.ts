import { ConnectError } from '@connectrpc/connect'
import { explainError } from '../explain-error.ts'
import { shortName } from '../names.ts'
import type { Session } from '../session.ts'
import type { Change } from './plan-changes.ts'

export interface Outcome {
  readonly change: Change
  readonly done: boolean
  readonly error?: string
}

const past = { create: 'created', change: 'changed', same: 'same', delete: 'deleted' } as const

/** One after the other; what is refused does not keep the others from being done. Stops at Ctrl-C. */
export async function carryOut(session: Session, changes: readonly Change[]): Promise<Outcome[]> {
  const { terminal, paint } = session
  const outcomes: Outcome[] = []
  for (const change of changes) {
    const name = shortName(change.name)
    if (terminal.interrupted.aborted) {
      outcomes.push({ change, done: false, error: 'interrupted' })
      terminal.err(`${paint.bad('not done')} ${name}: interrupted\n`)
      continue
    }
    try {
      await carryOutOne(session, change)
      outcomes.push({ change, done: true })
      if (session.format === 'table') terminal.out(`${paint.good(past[change.kind])} ${name}\n`)
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error
      const { message, hints } = explainError(error, session.settings)
      outcomes.push({ change, done: false, error: message })
      terminal.err(`${paint.bad('failed')} ${name}: ${[message, ...hints].join('\n  ')}\n`)
    }
  }
  return outcomes
}

async function carryOutOne({ ferry }: Session, { kind, name, manifest, current }: Change): Promise<void> {
  if (kind === 'delete') await ferry.useCases.deleteUseCase({ name, etag: current!.etag })
  else
    await ferry.useCases.updateUseCase({
      useCase: { name, spec: manifest!.useCase.spec!, etag: current?.etag ?? '' },
      allowMissing: kind === 'create',
    })
}
