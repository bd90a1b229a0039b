// oauth4webapi against the server, each answer through the library's own checks.
import * as oauth from 'oauth4webapi'
import { check, done, open, tagged, task } from './peer.mjs'

const issuer = new URL(task.issuer)
const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: tagged }

for (const algorithm of ['oidc', 'oauth2']) {
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...options, algorithm }))
  const client = { client_id: task.client }
  const authentication = oauth.ClientSecretBasic(task.secret)

  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const url = new URL(as.authorization_endpoint)
  for (const [name, value] of Object.entries({
    client_id: client.client_id,
    redirect_uri: task.redirect,
    response_type: 'code',
    scope: 'openid profile email',
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    max_age: '1000',
  })) url.searchParams.set(name, value)

  const parameters = oauth.validateAuthResponse(as, client, await open(url), state)
  const tokens = await oauth.processAuthorizationCodeResponse(
    as,
    client,
    await oauth.authorizationCodeGrantRequest(as, client, authentication, parameters, task.redirect, verifier, options),
    { expectedNonce: nonce, requireIdToken: true, maxAge: 1000 },
  )
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  const info = await oauth.processUserInfoResponse(
    as,
    client,
    claims.sub,
    await oauth.userInfoRequest(as, client, tokens.access_token, options),
  )
  check(info.email === task.email, `userinfo: ${JSON.stringify(info)}`)

  const next = await oauth.processRefreshTokenResponse(
    as,
    client,
    await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, options),
  )
  check(next.refresh_token && next.access_token !== tokens.access_token, 'refresh')

  const gateway = { client_id: task.gateway }
  const asked = await oauth.processIntrospectionResponse(
    as,
    gateway,
    await oauth.introspectionRequest(as, gateway, authentication, next.access_token, options),
  )
  check(asked.active && asked.sub === claims.sub, `introspection: ${JSON.stringify(asked)}`)

  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, client, authentication, next.refresh_token, options),
  )
  let ended
  for (let i = 0; i < 100 && ended?.active !== false; i++) { // every process knows it within two seconds
    ended = await oauth.processIntrospectionResponse(
      as,
      gateway,
      await oauth.introspectionRequest(as, gateway, authentication, next.access_token, options),
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  check(ended.active === false, 'the access token outlives its refresh token')

  const machine = { client_id: task.machine }
  const own = await oauth.processClientCredentialsResponse(
    as,
    machine,
    await oauth.clientCredentialsGrantRequest(as, machine, authentication, { scope: 'read' }, options),
  )
  check(own.scope === 'read', 'client credentials')
}

done()
