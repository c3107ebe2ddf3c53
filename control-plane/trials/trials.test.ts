import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { PreviewRequestSchema, TestRequestSchema } from '../../proto/gen/ferry/v1/preview_pb.ts'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { AnswerTrialRequestSchema, type Trial } from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { Trials, type Wanted } from './trials.ts'

const preview: Wanted = { case: 'preview', value: create(PreviewRequestSchema, { maxRecords: 3 }) }
const aTest: Wanted = { case: 'test', value: create(TestRequestSchema) }
const useCase = (description = '') => create(UseCaseSchema, { name: 'namespaces/a/useCases/b', spec: { description } })
const open = (over = {}): Trials => new Trials({ openMax: 2, replyBytesMax: 1000, ...over })
const answer = (trial: Trial, over: object) => create(AnswerTrialRequestSchema, { id: trial.id, ...over })
const bytes = Uint8Array.of(1, 2)

test('one worker does a trial, and its answer is whoever asks', async () => {
  const trials = open()
  const asked = trials.ask(useCase(), preview, 5000)
  const [trial] = trials.take('w1')
  expect(trial).toMatchObject({ useCase: { name: 'namespaces/a/useCases/b' }, wanted: { value: { maxRecords: 3 } } })
  expect(trials.take('w2')).toEqual([])
  trials.answer(answer(trial!, { answer: { case: 'preview', value: bytes } }))
  expect(await asked).toEqual({ case: 'preview', value: bytes })
  trials.answer(answer(trial!, { answer: { case: 'preview', value: bytes } }))
})

test('what a worker cannot do another one does, and what none can do says why', async () => {
  const trials = open()
  const [first, second] = [trials.ask(useCase(), preview, 5000), trials.ask(useCase(), aTest, 50)]
  const [one, two] = trials.take('w1')
  for (const each of [one!, two!])
    trials.answer(answer(each, { answer: { case: 'problem', value: 'no cluster mars' }, otherWorker: true }))
  expect(trials.take('w1')).toEqual([])
  expect(trials.take('w2')).toEqual([one, two])
  trials.answer(answer(one!, { answer: { case: 'preview', value: bytes } }))
  trials.answer(answer(two!, { answer: { case: 'problem', value: 'no cluster mars' }, otherWorker: true }))
  expect(await first).toEqual({ case: 'preview', value: bytes })
  await expect(second).rejects.toMatchObject({ code: 'TRIAL_FAILED', message: 'no cluster mars' })
})

test('a trial that cannot be done fails at once, with the reason', async () => {
  const trials = open()
  const asked = trials.ask(useCase(), preview, 5000)
  const [trial] = trials.take('w1')
  trials.answer(answer(trial!, { answer: { case: 'problem', value: 'topic t has no partition 7' } }))
  await expect(asked).rejects.toMatchObject({ code: 'TRIAL_FAILED', message: 'topic t has no partition 7' })
})

test('nobody waits for ever, and hears whether a request may have been sent', async () => {
  const trials = open()
  await expect(trials.ask(useCase(), aTest, 20)).rejects.toMatchObject({ code: 'NO_WORKER' })
  const asked = trials.ask(useCase(), aTest, 20)
  expect(trials.take('w1')).toHaveLength(1)
  await expect(asked).rejects.toMatchObject({ code: 'TRIAL_TIMEOUT', message: expect.stringContaining('may have been sent') })
  expect(trials.take('w2')).toEqual([])
})

test('only so many are open at once, and only so many bytes go at once', async () => {
  const trials = open()
  const large = [trials.ask(useCase('x'.repeat(800)), preview, 30), trials.ask(useCase('x'.repeat(800)), preview, 30)]
  await expect(trials.ask(useCase(), preview, 30)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  expect([trials.take('w1').length, trials.take('w1').length, trials.take('w1').length]).toEqual([1, 1, 0])
  for (const each of large) await expect(each).rejects.toMatchObject({ code: 'TRIAL_TIMEOUT' })
})
