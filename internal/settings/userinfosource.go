package settings

// UserInfoProvider returns the identity provider whose user-info source knows the people of a namespace, nil when there is
// none. Of several the first counts.
func (s *Snapshot) UserInfoProvider(namespace string) *IdentityProvider {
	for i := range s.Document.IdentityProviders {
		p := &s.Document.IdentityProviders[i]
		if p.UserInfoSource != nil && !p.Disabled && p.UserNamespace() == namespace {
			return p
		}
	}
	return nil
}

// AsksUserInfo tells whether any identity provider has a user-info source.
func (s *Snapshot) AsksUserInfo() bool {
	for i := range s.Document.IdentityProviders {
		if p := &s.Document.IdentityProviders[i]; p.UserInfoSource != nil && !p.Disabled {
			return true
		}
	}
	return false
}
