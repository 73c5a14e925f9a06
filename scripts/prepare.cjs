/**
 * Builds the program where npm installs it from git, as pre-commit does: the repository has no bundle. In a clone it does nothing.
 */
const { spawnSync } = require('node:child_process')
const { existsSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')

function npm(...args) {
  // With -g, npm installs nothing into the folder that it prepares, and hands that flag on.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_config_(global|location|prefix)$/i.test(name)),
  )
  const { status } = spawnSync('npm', args, {
    cwd: root,
    env,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}

// Set by npm for the install in a repository that it has fetched. Source: pacote, lib/git.js.
if (process.env._PACOTE_NO_PREPARE_ !== undefined) {
  // Its scripts would be this one.
  if (!existsSync(join(root, 'node_modules', 'tsx'))) npm('ci', '--ignore-scripts', '--no-audit', '--no-fund')
  npm('run', '--silent', 'build')
}
