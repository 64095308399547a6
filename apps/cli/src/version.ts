/** Version of the CLI, the same as the clone's. */
export const VERSION = '0.1.0'
