import { Plane, permission, plane } from '@berth/proto/berth/common/v1/options_pb.ts'
import { create, createFileRegistry, setExtension } from '@bufbuild/protobuf'
import type { GenService } from '@bufbuild/protobuf/codegenv2'
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_wrappers,
  type MethodDescriptorProto,
  MethodOptionsSchema,
  type StringValueSchema,
} from '@bufbuild/protobuf/wkt'

type Text = typeof StringValueSchema
type Echo = GenService<{
  say: { methodKind: 'unary'; input: Text; output: Text }
  count: { methodKind: 'server_streaming'; input: Text; output: Text }
  sum: { methodKind: 'client_streaming'; input: Text; output: Text }
  chat: { methodKind: 'bidi_streaming'; input: Text; output: Text }
  hostOnly: { methodKind: 'unary'; input: Text; output: Text }
}>

type Made = { name: string; clientStreaming?: boolean; serverStreaming?: boolean; needs?: string; reach?: Plane }

/** A service with one method of each kind over plain texts; `needs` and `reach` are the method options. */
export function echoService(methods: Made[] = standard): Echo {
  const file = create(FileDescriptorProtoSchema, {
    name: 'test/echo.proto',
    package: 'test.v1',
    syntax: 'proto3',
    dependency: ['google/protobuf/wrappers.proto'],
    service: [{ name: 'EchoService', method: methods.map(methodProto) }],
  })
  const set = create(FileDescriptorSetSchema, { file: [file_google_protobuf_wrappers.proto, file] })
  const found = createFileRegistry(set).getService('test.v1.EchoService')
  if (!found) throw new Error('the service is not in its own file')
  return found as unknown as Echo
}

const standard: Made[] = [
  { name: 'Say' },
  { name: 'Count', serverStreaming: true },
  { name: 'Sum', clientStreaming: true },
  { name: 'Chat', clientStreaming: true, serverStreaming: true },
  { name: 'HostOnly', reach: Plane.HOST },
]

function methodProto({
  name,
  clientStreaming = false,
  serverStreaming = false,
  needs = 'echo.use',
  reach = Plane.PUBLIC,
}: Made): MethodDescriptorProto {
  const options = create(MethodOptionsSchema)
  if (needs) setExtension(options, permission, needs)
  if (reach) setExtension(options, plane, reach)
  const type = '.google.protobuf.StringValue'
  return { name, inputType: type, outputType: type, clientStreaming, serverStreaming, options } as MethodDescriptorProto
}
