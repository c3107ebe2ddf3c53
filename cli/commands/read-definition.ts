import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { usageError } from '../cli-error.ts'
import { mistakeLine } from '../manifest/mistake.ts'
import { readFiles } from '../manifest/read-files.ts'
import { readUseCases } from '../manifest/read-use-cases.ts'
import type { Session } from '../session.ts'

/** The registered use case of this name, or with `file` a definition to try, which need not be registered. */
export async function readDefinition(
  session: Session,
  text: string | undefined,
  file: string | undefined,
): Promise<Pick<UseCase, 'name'> & Partial<Pick<UseCase, 'spec'>>> {
  if (file === undefined) {
    if (text === undefined) throw usageError('which use case? Name it, or give a definition: -f FILE')
    return { name: session.nameOf(text) }
  }
  const { terminal, settings } = session
  const files = await readFiles([file], () => terminal.readStdin())
  const { manifests, mistakes } = readUseCases(files, { namespace: settings.namespace, env: terminal.env })
  if (mistakes.length > 0) throw usageError('the definition is wrong', ...mistakes.map(mistakeLine))
  const wanted = text === undefined ? undefined : session.nameOf(text)
  const fitting = manifests.filter(({ useCase }) => wanted === undefined || useCase.name === wanted)
  const [only, ...more] = fitting
  if (only === undefined) throw usageError(`${file} has no use case${wanted === undefined ? '' : ` ${wanted}`}`)
  if (more.length > 0) throw usageError(`${file} has ${fitting.length} use cases: name one`)
  return { name: only.useCase.name, spec: only.useCase.spec! }
}
