/** Speaks to an API server with the client certificate of a kubeconfig. */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { load } from 'js-yaml'
import { isMapping, type Mapping } from './mapping.js'

export interface Answer {
  readonly status: number
  /** The body; empty when it is no JSON object. */
  readonly json: Mapping
  /** The body as it came. */
  readonly text: string
  /** The headers `Warning`, as they came. */
  readonly warnings: string
}

/** Rejects when there is no answer within 30 seconds. The content type is that of a patch, and else JSON. */
export type Call = (
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  contentType?: string,
) => Promise<Answer>

export interface Connection {
  readonly call: Call
  close(): void
}

export function connect(kubeconfig: string): Connection {
  const config = load(readFileSync(kubeconfig, 'utf8'))
  const cluster = first(config, 'clusters', 'cluster')
  const user = first(config, 'users', 'user')
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 8,
    ca: bytes(cluster['certificate-authority-data']),
    cert: bytes(user['client-certificate-data']),
    key: bytes(user['client-key-data']),
  })
  const server = String(cluster.server)
  return {
    close: () => agent.destroy(),
    call: (method, path, body, contentType = 'application/json') =>
      new Promise((resolve, reject) => {
        const sent = body === undefined ? undefined : JSON.stringify(body)
        const headers = sent === undefined ? {} : { 'content-type': contentType }
        const call = request(
          new URL(path, server),
          { method, agent, headers, timeout: 30_000 },
          (response) => {
            const chunks: Buffer[] = []
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.on('error', reject)
            response.on('end', () => {
              const text = Buffer.concat(chunks).toString()
              resolve({
                status: response.statusCode ?? 0,
                json: parsed(text),
                text,
                warnings: String(response.headers.warning ?? ''),
              })
            })
          },
        )
        call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer`)))
        call.on('error', reject)
        call.end(sent)
      }),
  }
}

function first(config: unknown, list: string, item: string): Mapping {
  const entries = isMapping(config) ? config[list] : undefined
  const entry: unknown = Array.isArray(entries) ? entries[0] : undefined
  const found = isMapping(entry) ? entry[item] : undefined
  if (!isMapping(found)) throw new Error(`the kubeconfig has no ${list}`)
  return found
}

const bytes = (text: unknown): Buffer => Buffer.from(String(text), 'base64')

function parsed(text: string): Mapping {
  try {
    const value: unknown = JSON.parse(text)
    return isMapping(value) ? value : {}
  } catch {
    return {}
  }
}
