const plain = (name) => name.replaceAll('-', '_')

/** What a module says it needs, from its `.modinfo` strings: hard dependencies and soft ones to load before it. */
export function needsOf(module) {
  const text = module.toString('latin1')
  const value = (key) => new RegExp(`\\0${key}=([^\\0]*)\\0`).exec(text)?.[1] ?? ''
  const soft = value('softdep').match(/pre:\s*([^:]*?)(?:\s+post:|$)/)?.[1] ?? ''
  return {
    hard: value('depends').split(',').filter(Boolean).map(plain),
    soft: soft.split(/\s+/).filter(Boolean).map(plain),
  }
}

/** Names of the modules that a kernel has built in, from its `modules.builtin`. */
export function builtinNames(modulesBuiltin) {
  return new Set(
    modulesBuiltin
      .split('\n')
      .flatMap((line) => /([^/]+)\.ko$/.exec(line.trim())?.[1] ?? [])
      .map(plain),
  )
}

/**
 * The modules to load, dependencies first. Built-in ones are left out.
 *
 * @param wanted names, in the order they are wanted
 * @param load gives a module's bytes by name, or undefined when the kernel has no such module
 * @throws when a wanted module, or a hard dependency, is neither a module nor built in
 */
export async function loadOrder(wanted, builtin, load) {
  const order = []
  const seen = new Set()
  async function visit(name, required, by) {
    if (seen.has(name) || builtin.has(name)) return
    const data = await load(name)
    if (!data) {
      if (required) throw new Error(`the kernel has no module ${name}${by ? `, which ${by} needs` : ''}`)
      return
    }
    seen.add(name)
    const needs = needsOf(data)
    for (const soft of needs.soft) await visit(soft, false, name)
    for (const hard of needs.hard) await visit(hard, true, name)
    order.push({ name, data })
  }
  for (const name of wanted) await visit(plain(name), true)
  return order
}
