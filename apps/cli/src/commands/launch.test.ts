import { expect, it } from 'vitest'
import { parseVolume } from './launch.ts'

it('a volume is attached by name, with a mount path and a mode', () => {
  expect(parseVolume('data')).toEqual({ volume: 'data', mountPath: '', readOnly: false })
  expect(parseVolume('data:/mnt:ro')).toEqual({ volume: 'data', mountPath: '/mnt', readOnly: true })
})

it('a volume with an unknown mode or too many parts is refused', () => {
  for (const text of [':/mnt', 'data:/mnt:rx', 'a:/b:ro:c']) expect(() => parseVolume(text)).toThrow('write it as')
})
