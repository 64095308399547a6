import { type DescMessage, type Message, type MessageShape, toJson } from '@bufbuild/protobuf'
import { stringify } from 'yaml'
import { escapeText } from './escape.ts'

/** `id` is what `--quiet` prints: ids alone. */
export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name', 'jsonl'] as const
export type Format = (typeof FORMATS)[number] | 'id'

export function isFormat(text: string): text is Format {
  return (FORMATS as readonly string[]).includes(text)
}

/** One column of a table. */
export interface Column<T> {
  readonly head: string
  readonly cell: (item: T) => string
  /** Only in `-o wide`. */
  readonly wide?: boolean
}

/** How one kind of resource is shown. */
export interface View<D extends DescMessage> {
  /** `instance`, as in `instance/web`. */
  readonly kind: string
  readonly schema: D
  readonly columns: readonly Column<MessageShape<D>>[]
  readonly name: (item: MessageShape<D>) => string
  readonly id: (item: MessageShape<D>) => string
}

export interface Printer {
  readonly format: Format
  /** A list: a table, or `{"items":[…]}`. */
  list<D extends DescMessage>(view: View<D>, items: readonly MessageShape<D>[]): void
  /** One resource; as a table unless the format says otherwise. */
  item<D extends DescMessage>(view: View<D>, item: MessageShape<D>): void
  /** `type/name verbed`, or the resource in the format asked for. */
  changed<D extends DescMessage>(view: View<D>, item: MessageShape<D>, verbed: string): void
  /** One element of a stream: a JSON line, or `line`. */
  element(schema: DescMessage, message: Message, line: string): void
  /** Anything else as JSON or YAML; as text otherwise. */
  value(value: unknown, text: string): void
  line(text: string): void
}

export function printer(
  stdout: { write(text: string): unknown },
  options: { readonly format: Format; readonly noHeaders: boolean },
): Printer {
  const { format } = options
  const line = (text: string) => void stdout.write(`${text}\n`)
  const data = (value: unknown) => (format === 'yaml' ? void stdout.write(stringify(value)) : line(JSON.stringify(value, undefined, 2)))
  const json = <D extends DescMessage>(view: View<D>, item: MessageShape<D>) => toJson(view.schema, item)

  function list<D extends DescMessage>(view: View<D>, items: readonly MessageShape<D>[]): void {
    if (format === 'json' || format === 'yaml') return data({ items: items.map((item) => json(view, item)) })
    if (format === 'jsonl') return items.forEach((item) => line(JSON.stringify(json(view, item))))
    if (format === 'name') return items.forEach((item) => line(`${view.kind}/${view.name(item)}`))
    if (format === 'id') return items.forEach((item) => line(view.id(item)))
    const columns = view.columns.filter((column) => !column.wide || format === 'wide')
    for (const row of table(columns, items, options.noHeaders)) line(row)
  }

  return {
    format,
    line,
    list,
    item(view, item) {
      if (format === 'json' || format === 'yaml') return data(json(view, item))
      list(view, [item])
    },
    changed(view, item, verbed) {
      if (format === 'table' || format === 'wide') return line(`${view.kind}/${view.name(item)} ${verbed}`)
      this.item(view, item)
    },
    element(schema, message, text) {
      if (format === 'table' || format === 'wide') return line(text)
      if (format === 'yaml') return void stdout.write(`---\n${stringify(toJson(schema, message as never))}`)
      line(JSON.stringify(toJson(schema, message as never)))
    },
    value(value, text) {
      if (format === 'table' || format === 'wide' || format === 'name' || format === 'id') return line(text)
      if (format === 'jsonl') return line(JSON.stringify(value))
      data(value)
    },
  }
}

/** Rows of a table without borders, cells padded to their column's width, two spaces between columns. */
export function table<T>(columns: readonly Column<T>[], items: readonly T[], noHeaders: boolean): string[] {
  const rows = items.map((item) => columns.map((column) => escapeText(column.cell(item)) || '<none>'))
  if (!noHeaders) rows.unshift(columns.map((column) => column.head))
  const widths = columns.map((_, index) => Math.max(0, ...rows.map((row) => row[index]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
