import path from 'node:path'
import { newId } from '@berth/db'
import { tempDir } from '@berth/testing'
import { placeOf } from '../src/domain/place.ts'
import { recorderHypervisor } from '../src/host/recorder/driver.ts'
import { conformance } from './conformance.ts'

conformance('recorder', async () => {
  const data = tempDir('recorder')
  const folders = { dataDir: data.path, runDir: path.join(data.path, 'run'), host: newId('hst') }
  const open = () => recorderHypervisor({ file: path.join(data.path, 'recorder.jsonl'), hostBootId: 'boot', folders })
  const place = placeOf({ id: newId('ins'), uid: 900_123 }, folders)
  const machine = {
    ...place,
    epoch: 1,
    vcpus: 1,
    memoryBytes: 0,
    kernelPath: '',
    initramfsPath: '',
    kernelCommandLine: '',
    disks: [],
    nics: [],
  }
  return {
    hypervisor: open(),
    again: () => Promise.resolve(open()),
    machine,
    async [Symbol.asyncDispose]() {
      data[Symbol.dispose]()
    },
  }
})
