import { tableDifferences } from '@berth/db'
import { testDatabase } from '@berth/testing'
import { expect, test } from 'vitest'
import { hosts, instances } from '../src/store/tables.ts'

test('the tables of the code are those of the migrations', async () => {
  await using database = await testDatabase()
  expect(await tableDifferences(database.open('instance'), [instances, hosts])).toEqual([])
})
