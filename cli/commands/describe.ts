import {
  type Lane,
  type LaneCondition,
  LaneConditionSchema,
  LaneSchema,
  LaneState,
  LaneStateSchema,
} from '../../proto/gen/ferry/v1/lane_pb.ts'
import { type UseCase, UseCaseSpecSchema, UseCaseState, UseCaseStateSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { GetUseCaseResponseSchema } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { shortName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine, plainText } from '../output/plain-text.ts'
import { formatted, jsonOf, yamlOf } from '../output/show.ts'
import { countWords, timeAndAge } from '../output/words.ts'
import type { Session } from '../session.ts'
import { conditionAdvice } from './condition-advice.ts'
import { laneColumns, readLanes } from './lanes.ts'

const lanesMax = 10_000
const lanesShownMax = 50

/** Everything about one use case: what was asked for, what is, its lanes, and what holds them up with what to do. */
export async function describe(session: Session, text: string): Promise<void> {
  const name = session.nameOf(text)
  const [{ useCase }, { items: lanes }] = await Promise.all([
    session.ferry.useCases.getUseCase({ name }),
    readLanes(session, name, lanesMax),
  ])
  if (session.format !== 'table') {
    const { use_case } = jsonOf(
      GetUseCaseResponseSchema,
      { $typeName: 'ferry.v1.GetUseCaseResponse', useCase: useCase! },
      true,
    ) as { use_case: object }
    const value = { ...use_case, lanes: lanes.map((lane) => jsonOf(LaneSchema, lane)) }
    return session.terminal.out(await formatted(value, session.format))
  }
  session.terminal.out(`${headOf(session, useCase!)}\n${await specText(session, useCase!)}\n${lanesText(session, lanes)}`)
}

function headOf({ paint, nowMs }: Session, { name, uid, revision, status, createTime, updateTime, spec }: UseCase): string {
  const now = nowMs()
  const word = enumWord(UseCaseStateSchema, status?.state ?? 0)
  const lines = [
    ['name', shortName(name)],
    ['state', status?.state === UseCaseState.ACTIVE ? paint.good(word) : paint.warn(word)],
    ['why', plainText(status?.pauseReason ?? '')],
    ['until', timeAndAge(status?.pauseUntil, now)],
    ['for', oneLine(spec?.description ?? '')],
    ['uid', uid],
    ['revision', String(revision)],
    ['created', timeAndAge(createTime, now)],
    ['changed', timeAndAge(updateTime, now)],
  ]
  return lines
    .filter(([, value]) => value !== '')
    .map(([title, value]) => `${title!.padEnd(10)}${value}\n`)
    .join('')
}

async function specText({ paint }: Session, { spec }: UseCase): Promise<string> {
  const yaml = await yamlOf(jsonOf(UseCaseSpecSchema, spec!, true))
  return `${paint.strong('spec')}\n${yaml.trimEnd().replaceAll(/^/gm, '  ')}\n`
}

function lanesText(session: Session, lanes: readonly Lane[]): string {
  const { paint } = session
  const sum = (of: (lane: Lane) => bigint): string => countWords(lanes.reduce((total, lane) => total + of(lane), 0n))
  const lag = sum(({ endOffset, cursor }) => (endOffset > cursor ? endOffset - cursor : 0n))
  const head = `${paint.strong('lanes')}  ${lanes.length}, ${lag} records behind, ${sum(({ parked }) => parked)} parked\n`
  if (lanes.length === 0) return `${head}  none yet: the control plane finds the topic's partitions within a few seconds\n`
  // What does not move comes first: it is what somebody looks for.
  const isStill = (lane: Lane): boolean => lane.condition !== 0 || lane.state !== LaneState.RUNNING
  const shown = [...lanes.filter(isStill), ...lanes.filter((lane) => !isStill(lane))].slice(0, lanesShownMax)
  const table = session.table(laneColumns(session, false), shown).replaceAll(/^(?=.)/gm, '  ')
  const more = lanes.length > shown.length ? `  and ${lanes.length - shown.length} more: ferry lanes NAME\n` : ''
  return `${head}${table}${more}${adviceText(session, lanes)}`
}

/** Each condition once, with how many lanes have it, and what to do. */
function adviceText({ paint }: Session, lanes: readonly Lane[]): string {
  const counts = new Map<LaneCondition, number>()
  for (const { condition } of lanes) if (condition !== 0) counts.set(condition, (counts.get(condition) ?? 0) + 1)
  const lines = [...counts].map(([condition, count]) => {
    const word = enumWord(LaneConditionSchema, condition)
    const name = shortName(lanes[0]!.useCase)
    const advice = conditionAdvice[condition]?.replaceAll('NAME', name) ?? 'the message beside it says more'
    return `  ${paint.bad(word)} (${count} ${count === 1 ? 'lane' : 'lanes'}): ${advice}\n`
  })
  const idle = lanes.filter(({ state, condition }) => state === LaneState.UNASSIGNED && condition === 0).length
  if (idle > 0)
    lines.push(`  ${enumWord(LaneStateSchema, LaneState.UNASSIGNED)} (${idle}): wait for a worker; see ferry workers\n`)
  return lines.length === 0 ? '' : `\n${paint.strong('what to do')}\n${lines.join('')}`
}
