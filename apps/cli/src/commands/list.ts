import { numberParser } from '@stricli/core'
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { command, textFlag, type Work } from '../command.ts'
import type { View } from '../output/printer.ts'
import { deviceView, imageView, instanceView, networkView, operationView, volumeView } from '../output/views.ts'
import { allPages, filterOf } from '../pages.ts'

interface ListFlags {
  readonly filter?: string
  readonly selector?: string
  readonly limit: number
}

interface PageRequest {
  readonly pageSize: number
  readonly pageToken: string
  readonly filter: string
}

type Page<T> = Promise<{ items: T[]; nextPageToken: string }>

function listing<D extends DescMessage>(plural: string, view: View<D>, page: (work: Work, request: PageRequest) => Page<MessageShape<D>>) {
  return command<ListFlags>({
    brief: `List ${plural}`,
    flags: {
      filter: textFlag('Terms field=value joined by “ and ”', 'terms'),
      selector: textFlag('Labels key=value joined by commas', 'labels'),
      limit: { kind: 'parsed', parse: numberParser, default: '10000', brief: 'At most so many', placeholder: 'n' },
    },
    aliases: { l: 'selector' },
    async run(work, flags) {
      const filter = filterOf(flags)
      work.out.list(view, await allPages(flags.limit, (pageToken, pageSize) => page(work, { pageToken, pageSize, filter })))
    },
  })
}

export const listInstances = listing('instances', instanceView, async ({ api, signal }, request) => {
  const { instances, nextPageToken } = await api.instances.listInstances(request, { signal })
  return { items: instances, nextPageToken }
})

export const listImages = listing('images', imageView, async ({ api, signal }, request) => {
  const { images, nextPageToken } = await api.images.listImages(request, { signal })
  return { items: images, nextPageToken }
})

export const listVolumes = listing('volumes', volumeView, async ({ api, signal }, request) => {
  const { volumes, nextPageToken } = await api.volumes.listVolumes(request, { signal })
  return { items: volumes, nextPageToken }
})

export const listNetworks = listing('networks', networkView, async ({ api, signal }, request) => {
  const { networks, nextPageToken } = await api.networks.listNetworks(request, { signal })
  return { items: networks, nextPageToken }
})

export const listDevices = listing('devices', deviceView, async ({ api, signal }, request) => {
  const { devices, nextPageToken } = await api.devices.listDevices(request, { signal })
  return { items: devices, nextPageToken }
})

export const listOperations = listing('operations', operationView, async ({ api, signal }, request) => {
  const { operations, nextPageToken } = await api.operations.listOperations(request, { signal })
  return { items: operations, nextPageToken }
})
