type Results<T extends readonly unknown[]> = { -readonly [K in keyof T]: Awaited<T[K]> }

/** Waits for all, also when one fails: whoever undoes next must not race with what is still being done. @throws the first error in order */
export async function allOrFirstError<T extends readonly unknown[]>(work: readonly [...T]): Promise<Results<T>> {
  const settled = await Promise.allSettled(work)
  for (const one of settled as PromiseSettledResult<unknown>[]) if (one.status === 'rejected') throw one.reason
  return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value) as Results<T>
}
