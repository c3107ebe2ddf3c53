import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { confirm } from '../confirm.ts'
import { shortName } from '../names.ts'
import type { Session } from '../session.ts'

/** Deletes a use case; by force also when deliveries wait. */
export async function deleteUseCase(
  session: Session,
  text: string,
  { force = false, yes }: { force?: boolean; yes?: boolean },
): Promise<void> {
  const name = session.nameOf(text)
  const question = force ? `Delete ${shortName(name)}, and skip what waits in it?` : `Delete ${shortName(name)}?`
  await confirm(session, question, yes)
  const { useCase } = await session.ferry.useCases.deleteUseCase({ name, force })
  await session.show(
    UseCaseSchema,
    useCase!,
    () => `${shortName(name)} is being deleted: it is gone when its lanes are drained\n`,
  )
}
