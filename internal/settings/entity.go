package settings

import (
	"encoding/json"
	"fmt"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// Kind names one list of the document, or one of its singletons.
type Kind string

// The kinds. All but KindUser are stored as settings; users are accounts.
const (
	KindFeatures             Kind = "features"
	KindMobileAuthentication Kind = "mobile_authentication"
	KindOAuth                Kind = "oauth"
	KindSAML                 Kind = "saml"
	KindWebHook              Kind = "web_hook"
	KindScope                Kind = "scope"
	KindPINPolicy            Kind = "pin_policy"
	KindIdentityProvider     Kind = "identity_provider"
	KindOSRule               Kind = "os_rule"
	KindPushConfiguration    Kind = "push_configuration"
	KindApplication          Kind = "application"
	KindWebClient            Kind = "web_client"
	KindAPIClient            Kind = "api_client"
	KindAuthenticationType   Kind = "authentication_type"
	KindCallback             Kind = "callback"
	KindSMS                  Kind = "sms"
	KindSMSGateway           Kind = "sms_gateway"
	KindUser                 Kind = "user"
)

// entity is one part of a document that is stored by itself.
type entity struct {
	kind     Kind
	name     string
	path     string // in the document, for example "applications[2]"
	position int
	value    any // points into the document
}

// key tells entities of one document apart.
type key struct {
	kind Kind
	name string
}

func (e entity) key() key { return key{e.kind, e.name} }

// holder is an entity with secrets that are sealed.
type holder interface {
	secrets() map[string]*Secret // by member name
}

// machine is an entity with a client secret, of which only a keyed hash is stored.
type machine interface {
	credentials() credentials
}

// signer is a holder that may have a secret which signs calls in the Standard Webhooks form; it is made when a document
// leaves it out.
type signer interface {
	holder
	signingSecret() (member string) // "" = there is none
}

func (p *PushConfiguration) secrets() map[string]*Secret {
	return map[string]*Secret{"signing_key": &p.SigningKey, "service_account": &p.ServiceAccount}
}

func (c *Callback) secrets() map[string]*Secret {
	return map[string]*Secret{"password": &c.Password, "signing_secret": &c.SigningSecret}
}

func (o *OAuth) secrets() map[string]*Secret {
	return map[string]*Secret{"scope_verification.password": &o.ScopeVerification.Password}
}

func (s *SAMLServiceProvider) secrets() map[string]*Secret {
	return map[string]*Secret{"signing_key": &s.SigningKey, "decryption_key": &s.DecryptionKey}
}

func (h *WebHook) secrets() map[string]*Secret {
	return map[string]*Secret{"password": &h.Password, "signing_secret": &h.SigningSecret}
}

func (p *IdentityProvider) secrets() map[string]*Secret {
	all := map[string]*Secret{}
	if p.UserInfoSource != nil {
		all["user_info_source.password"] = &p.UserInfoSource.Password
	}
	if p.OAuth != nil {
		all["oauth.client_secret"], all["oauth.signing_key"] = &p.OAuth.ClientSecret, &p.OAuth.SigningKey
	}
	if p.Custom != nil {
		all["custom.signing_secret"] = &p.Custom.SigningSecret
	}
	return all
}

const signingMember = "signing_secret"

func (c *Callback) signingSecret() string { return signingMember }
func (h *WebHook) signingSecret() string  { return signingMember }

func (p *IdentityProvider) signingSecret() string {
	if p.Custom == nil {
		return ""
	}
	return "custom." + signingMember
}

// entities lists the stored parts of d in the order of the document. Their values point into d.
func entities(d *Document) []entity {
	all := []entity{
		{KindFeatures, "", "features", 0, &d.Features},
		{KindMobileAuthentication, "", "mobile_authentication", 0, &d.MobileAuthentication},
		{KindOAuth, "", "oauth", 0, &d.OAuth},
		{KindSAML, "", "saml", 0, &d.SAML},
		{KindSMS, "", "sms", 0, &d.SMS},
	}
	all = list(all, KindScope, "scopes", d.Scopes, func(s *Scope) string { return s.ID })
	all = list(all, KindPINPolicy, "pin_policies", d.PINPolicies, func(p *PINPolicy) string { return p.Name })
	all = list(all, KindIdentityProvider, "identity_providers", d.IdentityProviders, func(p *IdentityProvider) string { return p.ID })
	all = list(all, KindWebHook, "web_hooks", d.WebHooks, func(h *WebHook) string { return h.ID })
	all = list(all, KindOSRule, "os_rules", d.OSRules, func(r *OSRule) string { return r.Platform })
	all = list(all, KindPushConfiguration, "push_configurations", d.PushConfigurations, func(p *PushConfiguration) string { return p.ID })
	all = list(all, KindApplication, "applications", d.Applications, func(a *Application) string { return a.ID })
	all = list(all, KindWebClient, "web_clients", d.WebClients, func(c *WebClient) string { return c.ID })
	all = list(all, KindAPIClient, "api_clients", d.APIClients, func(c *APIClient) string { return c.ID })
	all = list(all, KindAuthenticationType, "authentication_types", d.AuthenticationTypes, func(t *AuthenticationType) string { return t.Name })
	all = list(all, KindSMSGateway, "sms_gateways", d.SMSGateways, func(g *SMSGateway) string { return g.ID })
	return list(all, KindCallback, "callbacks", d.Callbacks, func(c *Callback) string { return c.URL })
}

func list[T any](all []entity, kind Kind, path string, items []T, name func(*T) string) []entity {
	for i := range items {
		all = append(all, entity{kind, name(&items[i]), fmt.Sprintf("%s[%d]", path, i), i, &items[i]})
	}
	return all
}

// add returns a pointer to a new item of the list of that kind in d; nil for a kind that this release does not know.
func add(d *Document, kind Kind) any {
	switch kind {
	case KindFeatures:
		return &d.Features
	case KindMobileAuthentication:
		return &d.MobileAuthentication
	case KindOAuth:
		return &d.OAuth
	case KindSAML:
		return &d.SAML
	case KindWebHook:
		return grow(&d.WebHooks)
	case KindScope:
		return grow(&d.Scopes)
	case KindPINPolicy:
		return grow(&d.PINPolicies)
	case KindIdentityProvider:
		return grow(&d.IdentityProviders)
	case KindOSRule:
		return grow(&d.OSRules)
	case KindPushConfiguration:
		return grow(&d.PushConfigurations)
	case KindApplication:
		return grow(&d.Applications)
	case KindWebClient:
		return grow(&d.WebClients)
	case KindAPIClient:
		return grow(&d.APIClients)
	case KindAuthenticationType:
		return grow(&d.AuthenticationTypes)
	case KindCallback:
		return grow(&d.Callbacks)
	case KindSMS:
		return &d.SMS
	case KindSMSGateway:
		return grow(&d.SMSGateways)
	case KindUser:
	}
	return nil
}

func grow[T any](list *[]T) *T {
	var item T
	*list = append(*list, item)
	return &(*list)[len(*list)-1]
}

// body is the JSON of a stored entity.
type body struct {
	Entity json.RawMessage   `json:"entity"`           // its members without secrets
	Sealed map[string][]byte `json:"sealed,omitempty"` // secrets by member name, sealed at their place
	Digest []byte            `json:"digest,omitempty"` // keyed hash of the client secret
	Origin []byte            `json:"origin,omitempty"` // keyed hash of the imported hash that it replaced
}

// place binds a sealed secret to where it belongs, so that nobody who can write rows can move it.
func place(kind Kind, name, member string) string { return string(kind) + "/" + name + "/" + member }

// encode makes the row of e. Its secrets must be in clear, its client secret hashed.
func (e entity) encode(keys *secret.Keys) (store.Setting, error) {
	plain, err := json.Marshal(e.value)
	if err != nil {
		return store.Setting{}, fmt.Errorf("encode %s %q: %w", e.kind, e.name, err)
	}
	b := body{Entity: plain}
	if h, ok := e.value.(holder); ok {
		b.Sealed = map[string][]byte{}
		for member, s := range h.secrets() {
			if !s.Empty() {
				b.Sealed[member] = keys.Seal([]byte(s.Reveal()), place(e.kind, e.name, member))
			}
		}
	}
	if m, ok := e.value.(machine); ok {
		b.Digest, b.Origin = m.credentials().secret.Digest, m.credentials().secret.Origin
	}
	text, err := json.Marshal(b)
	if err != nil {
		return store.Setting{}, fmt.Errorf("encode %s %q: %w", e.kind, e.name, err)
	}
	return store.Setting{Kind: string(e.kind), Name: e.name, Position: e.position, Body: text}, nil
}

// decode reads rows into a document. stale names what is sealed with a former key. Kinds and members of a later
// release, which may run beside this one, are passed over.
func decode(rows []store.Setting, keys *secret.Keys) (d Document, stale map[key]bool, err error) {
	stale = map[key]bool{}
	for _, row := range rows {
		kind := Kind(row.Kind)
		value := add(&d, kind)
		if value == nil {
			continue
		}
		var b body
		if err := json.Unmarshal(row.Body, &b); err != nil {
			return Document{}, nil, fmt.Errorf("read %s %q: %w", kind, row.Name, err)
		}
		if err := json.Unmarshal(b.Entity, value); err != nil {
			return Document{}, nil, fmt.Errorf("read %s %q: %w", kind, row.Name, err)
		}
		if h, ok := value.(holder); ok {
			former, err := unseal(h, b.Sealed, kind, row.Name, keys)
			if err != nil {
				return Document{}, nil, err
			}
			if former {
				stale[key{kind, row.Name}] = true
			}
		}
		if m, ok := value.(machine); ok {
			*m.credentials().secret = ClientSecret{Digest: b.Digest, Origin: b.Origin}
		}
	}
	return d, stale, nil
}

// unseal opens the secrets of h. former tells that one of them was sealed with a former key.
func unseal(h holder, sealed map[string][]byte, kind Kind, name string, keys *secret.Keys) (former bool, err error) {
	for member, s := range h.secrets() {
		*s = Secret{}
		box, present := sealed[member]
		if !present {
			continue
		}
		clear, err := keys.Open(box, place(kind, name, member))
		if err != nil {
			return false, fmt.Errorf("open %s of %s %q (is the key-encryption key the right one?): %w", member, kind, name, err)
		}
		*s = NewSecret(string(clear))
		former = former || !keys.Current(box)
	}
	return former, nil
}
