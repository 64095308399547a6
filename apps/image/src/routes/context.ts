import type { Slice } from '@berth/controller/audit/clean-host'
import type { Expected, Found, HeldImage } from '../domain/audit.ts'
import type { EnsurePorts, Held } from '../domain/ensure-image.ts'
import type { Caller } from '@berth/rpc'
import type {
  DeleteImageRequest,
  Image,
  Kernel,
  PullImageRequest,
  WatchImagesRequest,
  WatchKernelsRequest,
} from '@berth/proto/berth/image/v1/image_pb.ts'
import type { Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'

export interface PageOf<M> {
  items: M[]
  nextPageToken: string
}

export interface PageRequest {
  pageSize: number
  pageToken: string
  filter: string
}

export interface Change<M> {
  type: 1 | 2 | 3 | 4
  resource: M | undefined
  resumeToken: string
}

export interface Owner {
  kind: string
  id: string
  slot: string
}

export interface EnsureInput {
  owner: Owner
  project: string
  actor: string
  text: string
}

export interface Ensured extends Held {
  image: Image
  operationId: string
  doneBytes: number
  totalBytes: number
}

/** Where granted things lie. */
export interface KernelGrant {
  kernel: Kernel
  kernelPath: string
  initramfsPath: string
}

/** Everything the routes call; built in service.ts. */
export interface RouteContext {
  hostId: string
  epoch: bigint
  images: {
    get(project: string, reference: string): Promise<Image>
    list(project: string, page: PageRequest): Promise<PageOf<Image>>
    watch(project: string, request: WatchImagesRequest, signal: AbortSignal): AsyncGenerator<Change<Image>>
    pull(
      caller: Pick<Caller, 'actor' | 'project'>,
      request: PullImageRequest,
    ): Promise<{ image: Image | undefined; operation: Operation | undefined }>
    delete(
      caller: Pick<Caller, 'actor' | 'project'>,
      request: DeleteImageRequest,
    ): Promise<{ image: Image | undefined; operation: Operation | undefined }>
    release(owner: Owner, signal: AbortSignal): Promise<void>
  }
  ensure: EnsurePorts<EnsureInput, Ensured>
  rootPath(digest: string): string
  kernels: {
    get(reference: string): Promise<Kernel>
    list(page: PageRequest): Promise<PageOf<Kernel>>
    watch(request: WatchKernelsRequest, signal: AbortSignal): AsyncGenerator<Change<Kernel>>
    /** Empty: the default. @throws NotFound(`KERNEL_NOT_FOUND`) */
    grant(reference: string): Promise<KernelGrant>
  }
  audit(): Promise<{ expected: Expected; found: Found; holds: HeldImage[] }>
  clean: Slice
}
