// An OpenID provider on loopback: oidc-provider with its own pages for signing in and agreeing. It prints its issuer, reads
// one line of JSON {clients, people, requireSilent} from standard input, prints that it is ready, and ends with its input.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
say({ issuer });

for await (const line of createInterface({ input: process.stdin })) {
  const { clients, people } = JSON.parse(line);
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ['sub', 'acr', 'amr'], profile: ['name'], email: ['email'] },
    acrValues: ['urn:example:high'],
    pkce: { required: () => true },
    cookies: { keys: ['of this run alone'] },
    features: { rpInitiatedLogout: { enabled: true } },
    findAccount: (_, id) => people[id] && {
      accountId: id,
      claims: () => ({ sub: id, ...people[id] }),
    },
  });
  provider.on('server_error', (_, error) => say({ error: error.message }));
  server.on('request', provider.callback());
  say({ ready: true });
}
server.closeAllConnections();
server.close();
