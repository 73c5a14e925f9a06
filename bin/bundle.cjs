'use strict'
/**
 * Loads the bundle with the bytecode that V8 made of it in an earlier run: compiling is a fifth of a short run. What
 * `module.enableCompileCache` does, on Node 20 as well, with the functions that a whole run compiles, and in the package's own folder:
 * who may write there may change the program anyway.
 */
const { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writevSync } = require('node:fs')
const { dirname } = require('node:path')
const { Script } = require('node:vm')

/**
 * V8 trusts bytecode blindly, and copies what does not begin at a multiple of eight. Before it stand the first bytes of the bundle, a
 * comment with the sum of the rest; how long the run took that made it; how long it is; and its own sum.
 */
const stampBytes = 24
const headerBytes = stampBytes + 16

/**
 * Of one word in 256 bytes: what disks lose is pages of four kilobytes. A sum of everything costs a twentieth of a short run, with the
 * streams that `node:zlib` loads, and one of a word in 64 bytes an eightieth.
 */
function sumOf(code) {
  const words = new Uint32Array(code.buffer, code.byteOffset, code.length >>> 2)
  let sum = code.length
  for (let i = 0; i < words.length; i += 64) sum = (Math.imul(sum, 31) + words[i]) >>> 0
  return sum
}

/** What `node:module` exports; asking for it would load the loader of ES modules, too. */
const Module = module.constructor

/** The bytecode in `file` that was made of the bundle with this stamp, if it is whole. */
function read(file, stamp) {
  try {
    const bytes = readFileSync(file)
    const code = bytes.subarray(headerBytes)
    const [milliseconds, length, sum] = [0, 4, 8].map((at) => bytes.readUInt32LE(stampBytes + at))
    const isWhole =
      stamp.equals(bytes.subarray(0, stampBytes)) && length === code.length && sum === sumOf(code)
    return isWhole ? { code, milliseconds } : undefined
  } catch {
    return undefined
  }
}

/** The file appears under its name when all of it is on the disk: nobody ever reads a part of it, whatever happens to the machine. */
function write(file, stamp, code, milliseconds) {
  const numbers = Buffer.alloc(headerBytes - stampBytes)
  for (const [i, number] of [milliseconds, code.length, sumOf(code)].entries())
    numbers.writeUInt32LE(number, 4 * i)
  const draft = `${file}.${process.pid}`
  try {
    const descriptor = openSync(draft, 'w')
    try {
      writevSync(descriptor, [stamp, numbers, code])
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(draft, file)
  } catch {
    // A folder that may not be written, or a full disk: the next run compiles again.
    rmSync(draft, { force: true })
  }
}

/**
 * Runs the bundle in `file` for a job. `keep` writes the bytecode of what has run by then, unless there was as much already.
 */
exports.load = (file, job) => {
  const source = readFileSync(file)
  const stamp = source.subarray(0, stampBytes)
  const kept = `${file}.${process.version}-${process.arch}-${job}`
  const known = read(kept, stamp)
  // The bundle is an expression in ASCII, which is read fastest as Latin-1: a function, as modules are to Node. A large text is kept outside
  // of V8's heap, which saves a short run a copy. A long one is better off with the copy that adding to it makes: the collector
  // begins to mark at a multiple of what the heap was at first, and marks a larger one once in a run and not twice.
  const text = source.latin1Slice()
  const script = new Script(job === 'files' ? text : `${text}\n`, { filename: file, cachedData: known?.code })
  const bundle = new Module(file, module)
  bundle.filename = file
  require.cache[file] = bundle
  script
    .runInThisContext()
    .call(bundle.exports, bundle.exports, Module.createRequire(file), bundle, file, dirname(file))
  bundle.loaded = true
  return {
    exports: bundle.exports,
    keep() {
      const milliseconds = Math.round(process.uptime() * 1000)
      // A run that takes four times as long has called functions that the other one had no use for.
      if (!known || script.cachedDataRejected || milliseconds > 4 * known.milliseconds)
        write(kept, stamp, script.createCachedData(), milliseconds)
    },
  }
}
