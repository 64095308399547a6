import { bundleEntries } from './entries.mjs'
import { exec } from './exec.mjs'
import { step } from './step.mjs'

const BUF = 'node_modules/.bin/buf'

/** Generates TypeScript from the protos, and the descriptor sets that the two Rust apps build from. */
export async function generate() {
  const inputs = ['proto', 'vendor', 'buf.yaml', 'buf.gen.yaml', 'package-lock.json', 'scripts/setup/generate.mjs']
  const env = { PATH: `${process.cwd()}/node_modules/.bin:${process.env.PATH}` }
  await step('buf generate', { inputs, outputs: ['packages/proto/src/gen/berth', '.berth/guest.binpb', '.berth/shim.binpb'] }, async () => {
    await exec(BUF, ['generate'], { env })
    for (const name of ['guest', 'shim']) {
      await exec(BUF, ['build', '--path', `proto/berth/${name}`, '--as-file-descriptor-set', '-o', `.berth/${name}.binpb`], { env })
    }
  })
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
