import { describe, expect, it } from 'vitest'
import { formatReference, nameOf, parseReference } from './reference.ts'

const hex = 'a'.repeat(64)

describe('references', () => {
  it.each([
    ['alpine', `docker.io/library/alpine:latest`],
    ['alpine:3.20', 'docker.io/library/alpine:3.20'],
    ['docker.io/library/alpine', 'docker.io/library/alpine:latest'],
    ['index.docker.io/library/alpine', 'docker.io/library/alpine:latest'],
    ['team/app', 'docker.io/team/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/x', 'localhost:5000/x:latest'],
    ['127.0.0.1:5000/a/b__c/d-e.f:V1_x-y.z', '127.0.0.1:5000/a/b__c/d-e.f:V1_x-y.z'],
    ['[::1]:5000/x:1', '[::1]:5000/x:1'],
    ['Registry.Example.COM/x', 'registry.example.com/x:latest'],
    [`alpine@sha256:${hex}`, `docker.io/library/alpine@sha256:${hex}`],
    [`ghcr.io/o/r:tag@sha256:${hex}`, `ghcr.io/o/r@sha256:${hex}`],
  ])('reads %s as %s', (text, whole) => {
    expect(formatReference(parseReference(text))).toBe(whole)
  })

  it.each([
    ...[
      '',
      ' ',
      '/',
      'Alpine',
      'a//b',
      '-a',
      'a-',
      'a..b',
      'a___b',
      'a:',
      'a: b',
      'a:-x',
      `a:${'x'.repeat(129)}`,
      'a b',
      'a\nb',
      'a\0',
      '../x',
      'a/../b',
    ],
    ...[
      'localhost:0/x',
      'localhost:70000/x',
      'ex_ample.com/x',
      'user@host/x',
      'https://example.com/x',

      `${'a'.repeat(256)}`,
    ],
    ...['a@sha256:../../x', `a@md5:${hex}`, `a@sha256:${hex.toUpperCase()}`, `a@sha256:${hex}0`, `a@sha256:${hex}@sha256:${hex}`, 'a@'],
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it.each([
    ['alpine', 'alpine'],
    ['ghcr.io/org/My_App', undefined],
    ['ghcr.io/org/my_app.v2', 'my-app-v2'],
    ['localhost/7zip', 'image-7zip'],
    [`localhost/${'a'.repeat(60)}`, 'a'.repeat(40)],
  ])('makes of %s the name %s', (text, name) => {
    if (name === undefined) expect(() => parseReference(text)).toThrow(/repository/)
    else expect(nameOf(parseReference(text))).toBe(name)
  })
})
