// RFC 9110 10.2.3 (Retry-After) and 5.6.7 (HTTP-date, whose three forms a recipient must all take).

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const month = `(?<month>${months.join('|')})`
const time = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)'
const forms = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d\\d) ${month} (?<year>\\d{4}) ${time} GMT$`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d\\d)-${month}-(?<year>\\d\\d) ${time} GMT$`),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} (?<day>\\d\\d| \\d) ${time} (?<year>\\d{4})$`),
]

/**
 * The wait in ms that a Retry-After header asks for: 0 when its date is over, undefined when it is neither seconds nor a date.
 * It may be huge, also Infinity: the caller clamps it.
 */
export function retryAfterMs(header: string, nowMs: number): number | undefined {
  const text = header.trim()
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const dateMs = httpDateMs(text, nowMs)
  return dateMs === undefined ? undefined : Math.max(0, dateMs - nowMs)
}

function httpDateMs(text: string, nowMs: number): number | undefined {
  for (const form of forms) {
    const parts = form.exec(text)?.groups
    if (parts === undefined) continue
    const [day, hour, minute, second] = [
      Number(parts['day']),
      Number(parts['hour']),
      Number(parts['minute']),
      Number(parts['second']),
    ]
    // A leap second is second 60.
    if (hour > 23 || minute > 59 || second > 60) return undefined
    const year = parts['year']!.length === 2 ? fullYear(Number(parts['year']), nowMs) : Number(parts['year'])
    const date = new Date(0)
    date.setUTCFullYear(year, months.indexOf(parts['month']!), day)
    if (date.getUTCDate() !== day) return undefined
    return date.setUTCHours(hour, minute, second)
  }
  return undefined
}

/** RFC 9110: a two-digit year that appears to be more than 50 years in the future is the most recent past one with these digits. */
function fullYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + twoDigits
  if (year > thisYear + 50) return year - 100
  return year <= thisYear - 50 ? year + 100 : year
}
