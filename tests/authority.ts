/** Certificates for tests, made on the spot: nothing of them is secret, and none is worth anything outside of a test. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A certificate with its key, in PEM. */
interface Pair {
  readonly cert: string
  readonly key: string
}

interface Leaf {
  /** The user, as the API server reads it. */
  readonly name: string
  readonly groups?: readonly string[]
  /** DNS names and IPv4 addresses that a server has. */
  readonly hosts?: readonly string[]
  /** When it ends; in a day by default. */
  readonly until?: Date
}

export interface Authority {
  /** Its own certificate, in PEM. */
  readonly cert: string
  issue(leaf: Leaf): Pair
}

const day = 86_400_000

/** Makes an authority that issues certificates for servers and clients. */
export function authority(name = 'test authority'): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const until = new Date(Date.now() + day)
  return {
    cert: certificate({ name, until }, { name }, own.publicKey, own.privateKey, [isAuthority]),
    issue: (leaf) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const extensions = leaf.hosts === undefined ? [] : [hostNames(leaf.hosts)]
      return {
        cert: certificate({ until, ...leaf }, { name }, publicKey, own.privateKey, extensions),
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      }
    },
  }
}

/** X.509 v3, RFC 5280, section 4.1. */
function certificate(
  subject: Leaf & { readonly until: Date },
  issuer: Leaf,
  publicKey: KeyObject,
  signer: KeyObject,
  extensions: readonly Buffer[],
): string {
  const start = new Date(Math.min(Date.now(), subject.until.getTime()) - day)
  const content = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)])),
    ecdsaWithSha256,
    nameOf(issuer),
    sequence(time(start), time(subject.until)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : []),
  )
  const signature = sign('sha256', content, signer)
  const whole = sequence(content, ecdsaWithSha256, der(0x03, Buffer.concat([Buffer.of(0), signature])))
  const lines = whole
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

/** A value of ASN.1 with its tag and length; contents are shorter than 64 KiB. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function identifier(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

const ecdsaWithSha256 = sequence(identifier('2a8648ce3d040302'))
const commonName = identifier('550403')
const organization = identifier('55040a')
/** basicConstraints, critical, CA: TRUE. */
const isAuthority = sequence(
  identifier('551d13'),
  der(0x01, Buffer.of(255)),
  der(0x04, sequence(der(0x01, Buffer.of(255)))),
)

function hostNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
  )
  return sequence(identifier('551d11'), der(0x04, sequence(...names)))
}

function nameOf({ name, groups = [] }: Leaf): Buffer {
  const part = (type: Buffer, text: string) => der(0x31, sequence(type, der(0x0c, Buffer.from(text))))
  return sequence(...groups.map((group) => part(organization, group)), part(commonName, name))
}

/** GeneralizedTime, to the second. */
function time(date: Date): Buffer {
  return der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\.\d+/g, '')}`))
}
