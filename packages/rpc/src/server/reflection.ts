import { errorCodes } from '@berth/errors'
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from '@berth/proto/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '@berth/proto/grpc/reflection/v1alpha/reflection_pb.ts'
import { createRegistry, type DescFile, type DescService, type MessageInitShape, type Registry, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { type ServiceEntry, service } from './adapter.ts'

type Answer = MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']

/** Reflection v1 and v1alpha over these services, the two themselves and their files; needs a credential. */
export function reflectionServices(services: DescService[]): ServiceEntry[] {
  const listed = [...services, ServerReflection, ServerReflectionAlpha]
  const files = new Map<string, DescFile>()
  for (const { file } of listed) collect(file, files)
  const registry = createRegistry(...files.values())
  async function* serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>) {
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(request, listed, files, registry) }
    }
  }
  // The two versions differ in nothing but their package.
  const alpha = ServerReflectionAlpha as unknown as typeof ServerReflection
  return [service(ServerReflection, { serverReflectionInfo }), service(alpha, { serverReflectionInfo })]
}

function answer(
  { messageRequest: asked }: ServerReflectionRequest,
  listed: DescService[],
  files: Map<string, DescFile>,
  registry: Registry,
): Answer {
  switch (asked.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: listed.map(({ typeName }) => ({ name: typeName })) } }
    case 'fileByFilename':
      return fileAnswer(files.get(asked.value))
    case 'fileContainingSymbol':
      return fileAnswer(fileOfSymbol(asked.value, registry))
    case 'fileContainingExtension': {
      const extended = registry.getMessage(asked.value.containingType)
      return fileAnswer(extended && registry.getExtensionFor(extended, asked.value.extensionNumber)?.file)
    }
    case 'allExtensionNumbersOfType': {
      const numbers = [...registry].flatMap((type) =>
        type.kind === 'extension' && type.extendee.typeName === asked.value ? [type.number] : [],
      )
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName: asked.value, extensionNumber: numbers } }
    }
    default:
      return { case: 'errorResponse', value: { errorCode: errorCodes.INVALID_ARGUMENT, errorMessage: 'nothing was asked' } }
  }
}

function fileAnswer(file: DescFile | undefined): Answer {
  if (!file) return { case: 'errorResponse', value: { errorCode: errorCodes.NOT_FOUND, errorMessage: 'not found' } }
  const closure = new Map<string, DescFile>()
  collect(file, closure)
  return {
    case: 'fileDescriptorResponse',
    value: { fileDescriptorProto: [...closure.values()].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)) },
  }
}

function collect(file: DescFile, into: Map<string, DescFile>): void {
  if (into.has(file.proto.name)) return
  into.set(file.proto.name, file)
  for (const dependency of file.dependencies) collect(dependency, into)
}

/** A symbol may name a field, a method or an enum value: then it is in the file of what encloses it. */
function fileOfSymbol(symbol: string, registry: Registry): DescFile | undefined {
  for (let name = symbol; name; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
    const found = registry.get(name)
    if (found) return found.file
  }
  return undefined
}
