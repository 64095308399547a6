import { command, many, one, switchFlag, textFlag } from '../command.ts'
import { followOperation, progressSink } from '../follow.ts'
import { imageView } from '../output/views.ts'
import { eachOf } from './power.ts'

export const pullImage = command<{ readonly name?: string; readonly noWait: boolean }, readonly [string]>({
  brief: 'Pull an image and make it bootable',
  flags: { name: textFlag('Name here', 'name'), noWait: switchFlag('Do not wait for the end') },
  positional: one('reference', 'e.g. docker.io/library/alpine:3.20'),
  async run({ api, cli, out, quiet, signal }, flags, reference) {
    const { image, operation } = await api.images.pullImage(
      { reference, name: flags.name ?? '', requestId: crypto.randomUUID() },
      { signal },
    )
    if (!image) throw new Error('the answer had no image')
    if (operation && !flags.noWait) await followOperation(api, operation, { sink: progressSink(cli.process.stderr, quiet), signal })
    const { image: now } = await api.images.getImage({ id: image.id }, { signal })
    out.changed(imageView, now ?? image, flags.noWait ? 'being pulled' : 'pulled')
  },
})

export const deleteImages = command<object, readonly string[]>({
  brief: 'Delete images that nothing uses',
  positional: many('image', 'Ids or names'),
  run: (work, _flags, ...ids) =>
    eachOf(work, ids, async (id) => {
      const { api, signal, out, cli } = work
      const { image, operation } = await api.images.deleteImage({ id, requestId: crypto.randomUUID() }, { signal })
      if (operation) await followOperation(api, operation, { sink: progressSink(cli.process.stderr, true), signal })
      if (image) out.changed(imageView, image, 'deleted')
    }),
})
