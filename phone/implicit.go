package phone

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// grantImplicitAuthentication gives a token for a user whom the phone knows, without asking anything.
const grantImplicitAuthentication = "urn:onewelcome:oauth2:grant_type:implicit_authentication"

// ImplicitAuthentication gets an access token for a user of this phone without a PIN: enough to greet somebody by name, and no
// more. It comes without a refresh token and does not replace the running session. Without scopes those of the application are
// asked for. Errors: *Error invalid_grant when the user has to sign in first, unauthorized_client when the app may not do this.
func (p *Phone) ImplicitAuthentication(ctx context.Context, profileID string, scopes ...string) (*Tokens, error) {
	form := url.Values{"grant_type": {grantImplicitAuthentication}, "profile_id": {profileID}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	answer, err := p.Token(ctx, form)
	if err != nil {
		return nil, fmt.Errorf("implicit authentication: %w", err)
	}
	return p.kept(answer), nil
}
