import { expect, it } from 'vitest'
import { parseOptions } from './options.ts'

it('without words the system starts, shows a VM and stays', () => {
  expect(parseOptions([])).toMatchObject({ once: false, json: false, bare: false, down: false, image: undefined })
})

it('every option is understood', () => {
  expect(parseOptions(['--once', '-o', 'json', '--image', 'docker.io/library/alpine'])).toMatchObject({
    once: true,
    json: true,
    image: 'docker.io/library/alpine',
  })
})

it('unknown words and formats are refused', () => {
  for (const words of [['--twice'], ['-o', 'xml'], ['stray'], ['--bare', '--image', 'x']]) expect(() => parseOptions(words)).toThrow()
})
