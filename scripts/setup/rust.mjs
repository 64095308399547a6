import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { exec } from './exec.mjs'
import { step } from './step.mjs'
import { findProgram } from './tools.mjs'

const OLDEST = [1, 88]
const BINARIES = ['berth-agent', 'berth-shim']

/** Folders that may hold cargo without being in PATH, rustup's own among them. */
export function rustFolders(env = process.env) {
  return [
    env.CARGO_HOME && path.join(env.CARGO_HOME, 'bin'),
    path.join(env.HOME ?? homedir(), '.cargo/bin'),
    '/usr/local/bin',
    '/usr/bin',
  ].filter(Boolean)
}

/** Whether `rustc --version` output names a compiler that can build the two Rust apps. */
export function newEnough(versionLine) {
  const [, major, minor] = /^rustc (\d+)\.(\d+)/.exec(versionLine) ?? []
  return Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])
}

/** The folder of the first cargo whose compiler is new enough; an old one earlier in PATH does not hide it. */
async function findRust() {
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...rustFolders()]
  for (const folder of new Set(folders)) {
    if (!existsSync(path.join(folder, 'cargo')) || !existsSync(path.join(folder, 'rustc'))) continue
    const version = await exec(path.join(folder, 'rustc'), ['--version']).catch(() => '')
    if (newEnough(version)) return folder
  }
  return undefined
}

/** Debian packages that make the Rust apps buildable: a compiler where the machine has none that is new enough, a linker, the static C library. */
export async function rustPackages() {
  const packages = (await findRust()) ? [] : ['rustc-web', 'cargo-web']
  if (!findProgram('cc', ['/usr/bin'])) packages.push('gcc')
  if (!existsSync('/usr/lib/x86_64-linux-gnu/libc.a')) packages.push('libc6-dev')
  return packages
}

/** cargo, the compiler beside it first in PATH, and the target: musl where its library is installed, else glibc linked statically. */
async function toolchain() {
  const folder = await findRust()
  if (!folder) throw new Error(`no Rust of version ${OLDEST.join('.')} or newer in PATH, ~/.cargo/bin or /usr/bin`)
  const env = { PATH: `${folder}:${process.env.PATH ?? '/usr/bin:/bin'}` }
  const sysroot = (await exec(path.join(folder, 'rustc'), ['--print', 'sysroot'])).trim()
  const musl = existsSync(path.join(sysroot, 'lib/rustlib/x86_64-unknown-linux-musl'))
  return {
    cargo: path.join(folder, 'cargo'),
    target: `x86_64-unknown-linux-${musl ? 'musl' : 'gnu'}`,
    env: { ...env, CARGO_TARGET_DIR: path.resolve('target'), CARGO_TERM_COLOR: 'never', RUSTFLAGS: '-C target-feature=+crt-static' },
  }
}

/** Fetches the crates of Cargo.lock, so that the build that follows needs no network. */
export async function fetchCrates() {
  await step('cargo fetch', { inputs: ['Cargo.lock'], outputs: ['Cargo.lock'] }, async () => {
    const { cargo, env } = await toolchain()
    await exec(cargo, ['fetch', '--locked', '--quiet'], { env })
  })
}

/** Builds guest agent and shim into `.berth/bin`. */
export async function buildRust() {
  const inputs = [
    'Cargo.toml',
    'Cargo.lock',
    'apps/guest-agent',
    'apps/vm-shim',
    '.berth/guest.binpb',
    '.berth/shim.binpb',
    'scripts/setup/rust.mjs',
  ]
  const outputs = BINARIES.map((name) => `.berth/bin/${name}`)
  await step('cargo build', { inputs, outputs }, async () => {
    const { cargo, target, env } = await toolchain()
    await exec(cargo, ['build', '--release', '--locked', '--quiet', '--bins', '--target', target], { env })
    mkdirSync('.berth/bin', { recursive: true })
    for (const name of BINARIES) {
      // A shim may be running from this file: it is replaced by rename, never written over.
      copyFileSync(`target/${target}/release/${name}`, `.berth/bin/.${name}.new`)
      renameSync(`.berth/bin/.${name}.new`, `.berth/bin/${name}`)
    }
  })
}

/**
 * cargo, the arguments of `cargo test` and the environment they need: on the machine's own target, since nothing of tests goes into a guest, but
 * named, so that build scripts and macros are those that `buildRust` compiled (Cargo.toml, `profile.bench`).
 */
export async function cargoTest() {
  const { cargo, env } = await toolchain()
  const { RUSTFLAGS: _static, ...rest } = env
  return { cargo, args: ['test', '--profile', 'bench', '--target', 'x86_64-unknown-linux-gnu', '--locked', '--offline'], env: rest }
}
