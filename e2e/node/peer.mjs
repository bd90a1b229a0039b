// The other end of nodeclient_test.go: one JSON object a line, both ways. The first line that comes in is the task.
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

const receive = async () => {
  const { value, done } = await lines.next()
  if (done) throw new Error('the test has gone')
  return JSON.parse(value)
}

export const task = await receive()

// fetch with the headers by which the test knows its own requests.
export const tagged = (url, options = {}) => {
  const headers = new Headers(options.headers)
  for (const [name, value] of Object.entries(task.headers)) headers.set(name, value)
  return fetch(url, { ...options, headers })
}

export const send = (message) => console.log(JSON.stringify(message))

// open shows an address to the user and returns where the browser was sent in the end.
export const open = async (url) => {
  send({ open: String(url) })
  const { url: back } = await receive()
  return new URL(back)
}

// check fails the test with a message.
export const check = (right, message) => {
  if (!right) throw new Error(message)
}

export const done = () => {
  send({ done: true })
  process.exit(0)
}
