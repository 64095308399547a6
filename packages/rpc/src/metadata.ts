import { Metadata } from '@grpc/grpc-js'
import { decodeBinaryHeader, encodeBinaryHeader } from '@connectrpc/connect'

const ownedByTransport =
  /^(grpc-timeout|grpc-encoding|grpc-accept-encoding|grpc-status|grpc-message|content-type|content-length|te|user-agent|host|connection|:.*)$/

/** Headers of Connect's kind from grpc-js's: binary values become base64. */
export function toHeaders(metadata: Metadata, into: Headers = new Headers()): Headers {
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key)) into.append(key, typeof value === 'string' ? value : encodeBinaryHeader(value))
  }
  return into
}

/** Metadata of grpc-js's kind from Connect's; what the transport itself owns (`grpc-timeout`, `content-type` …) is left out. */
export function toMetadata(headers: Headers, options: { waitForReady?: boolean } = {}): Metadata {
  const metadata = new Metadata(options.waitForReady ? { waitForReady: true } : {})
  headers.forEach((value, key) => {
    if (ownedByTransport.test(key)) return
    if (!key.endsWith('-bin')) return metadata.add(key, value)
    // Headers joins repeated values with a comma; base64 has none, so they can be told apart again.
    for (const part of value.split(',')) metadata.add(key, Buffer.from(decodeBinaryHeader(part.trim())))
  })
  return metadata
}
