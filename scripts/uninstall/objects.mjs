// Removes what the services of a data folder have recorded as put on the host, and prints a line for each. Usage: objects.mjs DATA_FOLDER
import { readRecords } from './record.mjs'
import { removeObjects } from './remove.mjs'

const [dataDir] = process.argv.slice(2)
if (!dataDir) throw new Error('usage: objects.mjs DATA_FOLDER')
for (const line of await removeObjects(readRecords(dataDir))) console.log(`removed ${line}`)
