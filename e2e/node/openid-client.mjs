// openid-client against the server: discovery, sign-in by each way of client authentication, userinfo, refresh, revocation,
// client credentials, device login, logout.
import * as client from 'openid-client'
import { check, done, open, tagged, task } from './peer.mjs'

const discover = async (id, authentication, algorithm = 'oidc') =>
  client.discovery(new URL(task.issuer), id, undefined, authentication, {
    algorithm,
    execute: [client.allowInsecureRequests],
    [client.customFetch]: tagged,
  })

const signIn = async (config, redirect, scope) => {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirect,
    scope,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const back = await open(url)
  const tokens = await client.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  })
  const { sub } = tokens.claims()
  const info = await client.fetchUserInfo(config, tokens.access_token, sub)
  check(info.email === task.email, `userinfo: ${JSON.stringify(info)}`)
  return tokens
}

const key = await crypto.subtle.importKey('jwk', task.key, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
for (const [id, authentication, redirect, algorithm] of [
  [task.client, client.ClientSecretBasic(task.secret), task.redirect, 'oidc'],
  [task.client, client.ClientSecretPost(task.secret), task.redirect, 'oauth2'],
  [task.keyClient, client.PrivateKeyJwt({ key, kid: task.key.kid }), task.redirect, 'oidc'],
  [task.publicClient, client.None(), task.loopback, 'oidc'],
]) {
  const config = await discover(id, authentication, algorithm)
  const tokens = await signIn(config, redirect, 'openid email')
  const next = await client.refreshTokenGrant(config, tokens.refresh_token)
  check(next.access_token !== tokens.access_token && next.refresh_token, `${id}: refresh`)
  await client.tokenRevocation(config, next.refresh_token)
  let refused
  await client.refreshTokenGrant(config, next.refresh_token).catch((error) => (refused = error))
  check(refused?.error === 'invalid_grant', `${id}: a revoked refresh token is good: ${refused}`)
}

const machine = await discover(task.machine, client.ClientSecretBasic(task.secret))
const own = await client.clientCredentialsGrant(machine, { scope: 'read' })
check(own.access_token && own.scope === 'read', 'client credentials')

const gateway = await discover(task.gateway, client.ClientSecretBasic(task.secret))
const seen = await client.tokenIntrospection(gateway, own.access_token)
check(seen.active && seen.client_id === task.machine, `introspection: ${JSON.stringify(seen)}`)

const device = await discover(task.device, client.None())
const started = await client.initiateDeviceAuthorization(device, { scope: 'openid' })
const polled = client.pollDeviceAuthorizationGrant(device, started, undefined, { signal: AbortSignal.timeout(60_000) })
await open(started.verification_uri_complete)
check((await polled).id_token, 'device login')

const leaving = await discover(task.client, client.ClientSecretBasic(task.secret))
const last = await signIn(leaving, task.redirect, 'openid email')
const gone = await open(
  client.buildEndSessionUrl(leaving, { id_token_hint: last.id_token, post_logout_redirect_uri: task.loggedOut, state: 'bye' }),
)
check(gone.href.startsWith(task.loggedOut) && gone.searchParams.get('state') === 'bye', `logout: ${gone}`)

done()
