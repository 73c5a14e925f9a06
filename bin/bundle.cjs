'use strict'
/**
 * Loads the bundle with the bytecode that V8 made of it in an earlier run: compiling is a fifth of a short run. What
 * `module.enableCompileCache` does, on Node 20 as well, with the functions that a whole run compiles, and in the package's own folder:
 * who may write there may change the program anyway.
 */
const { readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs')
const { dirname } = require('node:path')
const { Script } = require('node:vm')
const { crc32 } = require('node:zlib')

/** V8 trusts bytecode blindly: the sums of the source and of the code stand before it, and how long the run took that made it. */
const headerBytes = 12

/** What `node:module` exports; asking for it would load the loader of ES modules, too. */
const Module = module.constructor

/** The bytecode in `file` that was made of a source with the sum `sourceSum`, if it is whole. */
function read(file, sourceSum) {
  try {
    const bytes = readFileSync(file)
    const code = bytes.subarray(headerBytes)
    if (bytes.readUInt32LE(0) !== sourceSum || bytes.readUInt32LE(4) !== crc32(code)) return undefined
    return { code, milliseconds: bytes.readUInt32LE(8) }
  } catch {
    return undefined
  }
}

function write(file, sourceSum, code, milliseconds) {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32LE(sourceSum, 0)
  header.writeUInt32LE(crc32(code), 4)
  header.writeUInt32LE(milliseconds, 8)
  const draft = `${file}.${process.pid}`
  try {
    writeFileSync(draft, Buffer.concat([header, code]))
    renameSync(draft, file)
  } catch {
    // A folder that may not be written, or a full disk: the next run compiles again.
    rmSync(draft, { force: true })
  }
}

/**
 * Runs the bundle in `file` for the first of `jobs`. Where nothing is kept for that one yet, the bytecode of the next serves. `keep`
 * writes the bytecode of what has run by then, unless there was as much already.
 */
exports.load = (file, jobs) => {
  const source = readFileSync(file)
  const sum = crc32(source)
  const [kept, ...others] = jobs.map((job) => `${file}.${process.version}-${process.arch}-${job}`)
  const own = read(kept, sum)
  const known = own ?? others.map((other) => read(other, sum)).find(Boolean)
  // The bundler writes ASCII only, which is read fastest as Latin-1.
  const script = new Script(Module.wrap(source.latin1Slice()), { filename: file, cachedData: known?.code })
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
      if (!own || script.cachedDataRejected || milliseconds > 4 * own.milliseconds)
        write(kept, sum, script.createCachedData(), milliseconds)
    },
  }
}
