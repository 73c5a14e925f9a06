'use strict'
/**
 * The floor for `scan`: fetches lists page by page and parses them, and does nothing else.
 *
 *     node plain-list.cjs KUBECONFIG PAGE PATH…
 */
const { readFileSync } = require('node:fs')
const https = require('node:https')

const [kubeconfig, page, ...paths] = process.argv.slice(2)
const text = readFileSync(kubeconfig, 'utf8')
const field = (name) => new RegExp(`${name}: *"?([^"\\s]+)`).exec(text)?.[1] ?? ''
const bytes = (name) => Buffer.from(field(name), 'base64')
const agent = new https.Agent({
  keepAlive: true,
  maxSockets: 4,
  ca: bytes('certificate-authority-data'),
  cert: bytes('client-certificate-data'),
  key: bytes('client-key-data'),
})

function get(path) {
  return new Promise((done, fail) => {
    https
      .get(new URL(path, field('server')), { agent }, (response) => {
        const chunks = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('end', () => done(JSON.parse(Buffer.concat(chunks).toString())))
      })
      .on('error', fail)
  })
}

async function list(path) {
  let count = 0
  let next = ''
  do {
    const { items = [], metadata = {} } = await get(
      `${path}?limit=${page}${next && `&continue=${encodeURIComponent(next)}`}`,
    )
    count += items?.length ?? 0
    next = metadata.continue ?? ''
  } while (next !== '')
  return count
}

async function main() {
  const queue = paths[Symbol.iterator]()
  let count = 0
  const worker = async () => {
    for (const path of queue) count += await list(path)
  }
  await Promise.all([worker(), worker(), worker(), worker()])
  agent.destroy()
  console.log(`${count} objects`)
}

main()
