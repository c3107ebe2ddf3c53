// Credit for giving up: a number per lane from 0 to a maximum, saved with the lane. Successes fill it, giving up spends it, so an
// outage, which has no successes, can turn only a few records into FAILED, while poison records among good ones still get out of the way.

const CREDIT_PER_SUCCESS = 10
const GIVE_UP_COST = 10
/** When the answer speaks of the record, the endpoint works: ten poison records are paid for by one success. */
const GIVE_UP_RECORD_COST = 1

/** What a lane starts with: `saved` is undefined for a lane that has none yet, which starts full. A smaller share cuts it. */
export function startCredit(saved: number | undefined, creditMax: number): number {
  return saved === undefined ? creditMax : Math.min(Math.max(saved, 0), creditMax)
}

/** The credit after a success. */
export function earnCredit(credit: number, creditMax: number): number {
  return Math.min(credit + CREDIT_PER_SUCCESS, creditMax)
}

/** The credit after giving up, or -1 when there is too little: then the delivery goes on waiting. */
export function payGiveUp(credit: number, speaksOfRecord: boolean): number {
  const rest = credit - (speaksOfRecord ? GIVE_UP_RECORD_COST : GIVE_UP_COST)
  return rest < 0 ? -1 : rest
}
