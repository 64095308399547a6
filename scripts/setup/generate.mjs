import { bundleEntries } from './entries.mjs'
import { exec } from './exec.mjs'
import { step } from './step.mjs'

const BUF = 'node_modules/.bin/buf'

const INPUTS = ['proto', 'vendor', 'buf.yaml', 'package-lock.json']

function buf(...args) {
  return exec(BUF, args, { env: { PATH: `${process.cwd()}/node_modules/.bin:${process.env.PATH}` } })
}

/** Makes the descriptor sets that the two Rust apps build from. Apart from `generate`, since the longest step waits for them. */
export async function describeProtos() {
  await step('buf build', { inputs: INPUTS, outputs: ['.berth/guest.binpb', '.berth/shim.binpb'] }, async () => {
    for (const name of ['guest', 'shim']) {
      await buf('build', '--path', `proto/berth/${name}`, '--as-file-descriptor-set', '-o', `.berth/${name}.binpb`)
    }
  })
}

/** Generates TypeScript from the protos. */
export async function generate() {
  await step('buf generate', { inputs: [...INPUTS, 'buf.gen.yaml'], outputs: ['packages/proto/src/gen/berth'] }, () => buf('generate'))
}

/** Bundles services, supervisor and CLI into `dist`, on the Node that this clone pins. */
export async function bundle() {
  const inputs = [
    'packages',
    'apps',
    'scripts/bundle.mjs',
    'scripts/setup/entries.mjs',
    'package-lock.json',
    'proto',
    'vendor',
    'buf.gen.yaml',
  ]
  const outputs = Object.keys(bundleEntries()).map((app) => `dist/${app}.mjs`)
  await step('bundle', { inputs, outputs }, () => exec('node_modules/.bin/node', ['scripts/bundle.mjs']))
}
