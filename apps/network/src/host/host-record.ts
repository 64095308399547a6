import { atomicWrite } from '@berth/host'
import type { HostRecord } from '../domain/record.ts'

/** The record as a file that the uninstaller reads. */
export function fileRecord(file: string): HostRecord {
  let last = ''
  return {
    async write(objects) {
      const text = `${JSON.stringify({ version: 1, objects }, null, 2)}\n`
      if (text === last) return
      await atomicWrite(file, text, { mode: 0o600 })
      last = text
    },
  }
}
