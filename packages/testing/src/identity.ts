import { hostKey, mintToken, type TokenOptions } from '@berth/rpc'

/**
 * A token that the services of this data folder accept: of an admin of project `default`, unless told otherwise.
 *
 * @param audience service that shall accept it, e.g. `volume`
 */
export async function testIdentity(
  dataDir: string,
  audience: string,
  claims: Partial<Omit<TokenOptions, 'key' | 'audience'>> = {},
): Promise<string> {
  const key = await hostKey(dataDir)
  const { token } = await mintToken({ key, audience, actor: 'key_test', project: 'default', roles: ['admin'], plane: 'public', ...claims })
  return token
}
