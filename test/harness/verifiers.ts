import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** What a receiver of signed requests has before it, and whether its function from the docs is right to take it. */
export interface Signed {
  readonly secret: string
  readonly id: string
  readonly timestamp: string
  readonly signature: string
  readonly body: Buffer
}

export interface Language {
  readonly name: string
  /** Says whether it is installed. */
  readonly probe: readonly string[]
  /** Of the file that has the page's function. */
  readonly file: string
  /** Makes a program of the page's function: it reads a line per case, five texts in base64 with spaces between, and prints true or false for each. */
  readonly program: readonly (readonly [file: string, text: string])[]
  readonly run: readonly string[]
  readonly adapt?: (snippet: string) => string
}

/** Five languages around the page's functions: each program is only what turns lines into calls. */
export const languages: readonly Language[] = [
  {
    ...{ name: 'Node', probe: ['node', '--version'], file: 'verify.mjs', run: ['node', 'main.mjs'] },
    program: [
      [
        'main.mjs',
        `import { readFileSync } from 'node:fs'
import { verify } from './verify.mjs'
for (const line of readFileSync(0, 'utf8').trim().split('\\n')) {
  const [secret, id, time, signature, body] = line.split(' ').map((each) => Buffer.from(each, 'base64'))
  const headers = { 'webhook-id': String(id), 'webhook-timestamp': String(time), 'webhook-signature': String(signature) }
  console.log(verify(String(secret), headers, body))
}
`,
      ],
    ],
  },
  {
    ...{ name: 'Python', probe: ['python3', '--version'], file: 'verify.py', run: ['python3', 'main.py'] },
    program: [
      [
        'main.py',
        `import base64, sys
from verify import verify
for line in sys.stdin.read().strip().split("\\n"):
    secret, id, sent, signature, body = (base64.b64decode(each) for each in line.split(" "))
    headers = {"webhook-id": id.decode(), "webhook-timestamp": sent.decode(), "webhook-signature": signature.decode()}
    print(str(verify(secret.decode(), headers, body)).lower())
`,
      ],
    ],
  },
  {
    ...{ name: 'Go', probe: ['go', 'version'], file: 'verify.go', run: ['go', 'run', '.'] },
    adapt: (snippet) => snippet.replace('package webhooks', 'package main'),
    program: [
      ['go.mod', 'module webhooks\n\ngo 1.21\n'],
      [
        'main.go',
        `package main
import ("bufio"; "encoding/base64"; "fmt"; "os"; "strings")
func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var parts [5]string
		for at, each := range strings.Split(lines.Text(), " ") {
			bytes, _ := base64.StdEncoding.DecodeString(each)
			parts[at] = string(bytes)
		}
		headers := map[string]string{"webhook-id": parts[1], "webhook-timestamp": parts[2], "webhook-signature": parts[3]}
		fmt.Println(Verify(parts[0], func(name string) string { return headers[name] }, []byte(parts[4])))
	}
}
`,
      ],
    ],
  },
  {
    // One file: Java runs the first class of it.
    ...{ name: 'Java', probe: ['java', '-version'], file: 'Webhooks.java', program: [], run: ['java', 'Webhooks.java'] },
    adapt: (snippet) =>
      snippet.replace(
        'final class Webhooks {',
        `final class Webhooks {
  public static void main(String[] args) throws Exception {
    var lines = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
    for (String line; (line = lines.readLine()) != null; ) {
      byte[][] parts = java.util.Arrays.stream(line.split(" ")).map(Base64.getDecoder()::decode).toArray(byte[][]::new);
      var headers = Map.of("webhook-id", new String(parts[1]), "webhook-timestamp", new String(parts[2]), "webhook-signature", new String(parts[3]));
      System.out.println(verify(new String(parts[0]), headers, parts[4]));
    }
  }
`,
      ),
  },
  {
    ...{ name: 'Ruby', probe: ['ruby', '--version'], file: 'verify.rb', run: ['ruby', 'main.rb'] },
    program: [
      [
        'main.rb',
        `require_relative "verify"
$stdin.each_line do |line|
  secret, id, time, signature, body = line.split.map { |each| each.unpack1("m") }
  puts verify(secret, { "webhook-id" => id, "webhook-timestamp" => time, "webhook-signature" => signature }, body)
end
`,
      ],
    ],
  },
]

/** Whether a language is here to be run. */
export async function isInstalled({ probe }: Language): Promise<boolean> {
  return runProgram(probe, '.', '').then(
    () => true,
    () => false,
  )
}

/** What the page's function for a language says of each case. */
export async function verifyAll(language: Language, page: string, cases: readonly Signed[]): Promise<boolean[]> {
  const snippet = new RegExp(`^### ${language.name}\n+\`\`\`[a-z]+\n(.*?)^\`\`\``, 'ms').exec(page)?.[1]
  if (snippet === undefined) throw new Error(`the page has no function for ${language.name}`)
  const folder = await mkdtemp(join(tmpdir(), 'ferry-verify-'))
  try {
    const files = [[language.file, language.adapt?.(snippet) ?? snippet] as const, ...language.program]
    for (const [name, text] of files) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    const lines = cases.map(({ secret, id, timestamp, signature, body }) =>
      [secret, id, timestamp, signature, body].map((each) => Buffer.from(each).toString('base64')).join(' '),
    )
    const output = await runProgram(language.run, folder, `${lines.join('\n')}\n`)
    return output
      .trim()
      .split('\n')
      .map((each) => each === 'true')
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Standard output; rejects when the program is not there or ends with anything but 0. */
function runProgram([program, ...args]: readonly string[], cwd: string, input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { cwd, timeout: 50_000 })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    child.stdin.on('error', () => {})
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`${program} ended with ${code}: ${errors}`))))
    child.stdin.end(input)
  })
}
