package registration

import (
	"tokenserver/internal/appgate"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

// mintSecret gives an installation a new secret and stores what will be needed of it: the keyed hash of exactly what
// the app will send, and the sealed upgrade key. key is that of the signature that the app proved; nil in development
// mode. Under tampering protection the app sends the secret bound to that key.
func (h *Handler) mintSecret(i *store.Installation, app appgate.App, key []byte) string {
	clientSecret := secret.NewToken()
	wire := clientSecret
	i.SecretForm = store.SecretPlain
	if app.Release.TamperingProtection && key != nil {
		i.SecretForm = store.SecretBound
		wire = appgate.BoundSecret(key, clientSecret)
	}
	i.SecretDigest = h.Keys.MAC(secret.ForClientSecret, wire)
	i.UpgradeKey = h.Keys.Seal(upgradeKeyOf(clientSecret), upgradeKeyPlace(i.ClientID))
	return clientSecret
}

// upgradeKeyPlace binds a sealed upgrade key to its installation.
func upgradeKeyPlace(clientID string) string { return "installation:" + clientID + ":upgrade-key" }
