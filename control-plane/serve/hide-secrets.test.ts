import { expect, test } from 'vitest'
import { hideSecrets } from './hide-secrets.ts'

test.each([
  ['redis://ferry:hunter2@redis:6379/0 refused', 'redis://***@redis:6379/0 refused'],
  ['http://hunter2@host/x', 'http://***@host/x'],
  ['http://u:a@hunter2/b@host', 'http://***@host'],
  ['authorization: Bearer hunter2', 'authorization: Bearer ***'],
  ['https://host/hook?api_key=hunter2&page=3', 'https://host/hook?api_key=***&page=3'],
  ['{"client_secret":"hunter2","id":1}', '{"client_secret":"***","id":1}'],
  ['ferry:hunter2@redis:6379', '***@redis:6379'],
  ['password: hunter2', 'password: ***'],
])('takes the secret out of %s', (text, expected) => {
  expect(hideSecrets(text)).toBe(expected)
})

test.each(['file:///opt/node_modules/@scope/index.js:3:1', 'topic orders has no partition 3', 'https://host/users/@me?page=3'])(
  'leaves %s as it is',
  (text) => {
    expect(hideSecrets(text)).toBe(text)
  },
)
