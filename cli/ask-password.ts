import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** From the terminal, twice and without echo, or the first line of standard input. */
export async function askPassword(): Promise<string> {
  return process.stdin.isTTY ? await fromTerminal() : await firstLine()
}

export async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line
  throw new Error('no password on standard input')
}

async function fromTerminal(): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const questions = createInterface({ input: process.stdin, output: silent, terminal: true })
  const ask = async (question: string) => {
    process.stdout.write(question)
    const answer = await questions.question('')
    process.stdout.write('\n')
    return answer
  }
  try {
    const password = await ask('Password: ')
    if ((await ask('Again: ')) !== password) throw new Error('the two passwords differ')
    return password
  } finally {
    questions.close()
  }
}
