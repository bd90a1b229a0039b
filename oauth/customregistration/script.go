package customregistration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/hooks"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/strictjson"
	"tokenserver/store"
)

// scriptFailed: the operator's service could not be reached, or gave no usable answer.
var scriptFailed = outcome.Failure{
	Code: outcome.InternalServerError, Audit: audit.CustomRegistrationScriptError,
	Text: "the service that decides about registrations gave no usable answer",
}

// The ranges of statuses: first of each; 3000 to 3999 are errors of the service.
const (
	statusSuccess = 2000
	statusErrors  = 3000
	statusRetry   = 4000
	statusRestart = 5000
	statusEnd     = 6000
)

const (
	maxPayload    = 64 << 10 // bytes of what an app gets to see
	maxAttributes = 32 << 10 // bytes of JSON
	maxMethods    = 16
)

// call is what the operator's service is asked, in the names of the extension engine. Nulls are sent, not left out.
type call struct {
	Type             string              `json:"type"`
	Identifier       string              `json:"identifier"` // of the identity provider
	RequestPayload   *string             `json:"requestPayload"`
	UserIdentifier   *string             `json:"userIdentifier"`   // always null here
	RegistrationData *string             `json:"registrationData"` // always null here
	HookParams       map[string][]string `json:"hookContextCustomParams"`
	Client           caller              `json:"client"`
}

// caller is the client for which the service is asked.
type caller struct {
	ID            string `json:"id"`
	AppIdentifier string `json:"app_identifier,omitempty"`
	AppPlatform   string `json:"app_platform,omitempty"`
	AppVersion    string `json:"app_version,omitempty"`
}

func callerOf(client clientauth.Client) caller {
	c := caller{ID: client.ID}
	if i := client.Installation; i != nil {
		c.AppIdentifier, c.AppPlatform, c.AppVersion = i.Application, i.Platform, i.Version
	}
	return c
}

// answer is what somebody decided about one step of a registration.
type answer struct {
	status   int
	data     *string         // for the app
	identity *store.Identity // of a success of the last step

	failed  audit.Code   // the event of a status that is no success; "" = the usual one of the step
	passed  audit.Code   // an event before that of the tokens; "" = none
	details []audit.Attr // of both
}

func (a answer) ok() bool { return a.status >= statusSuccess && a.status < statusErrors }

// The questions, and the paths below the endpoint of the provider.
const (
	askInit        = "CUSTOM_REGISTRATION_INIT"
	askComplete    = "CUSTOM_REGISTRATION_COMPLETE"
	askBackChannel = "CUSTOM_REGISTRATION_BACKCHANNEL"
)

func pathOf(question string) string {
	switch question {
	case askInit:
		return "/init"
	case askComplete:
		return "/complete"
	}
	return "/backchannel"
}

// ask asks the operator's service behind a provider. Errors: outcome.Failure.
func (h *Handler) ask(ctx context.Context, p *settings.IdentityProvider, c call) (answer, error) {
	about := audit.Detail("idp", p.ID)
	if p.Custom == nil || p.Custom.Endpoint == "" {
		return answer{}, scriptFailed.About(about, audit.Reason("no endpoint"))
	}
	c.Identifier = p.ID
	hook := &settings.WebHook{ID: p.ID, BaseURI: p.Custom.Endpoint, Authentication: settings.HookJWT, SigningSecret: p.Custom.SigningSecret}
	var a answer
	err := h.Hooks.Call(ctx, hook, pathOf(c.Type), c, func(text []byte) (err error) {
		a, err = readAnswer(text, c.Type == askComplete)
		return err
	})
	var failure hooks.Failure
	switch {
	case errors.As(err, &failure):
		return answer{}, scriptFailed.Because(failure).About(failure.Attrs()...)
	case err != nil:
		return answer{}, err
	case a.status < statusSuccess, a.status >= statusErrors && a.status < statusRetry, a.status >= statusEnd:
		return answer{}, scriptFailed.About(about, audit.Reason("status"), audit.Count("status", a.status))
	}
	a.details = append(a.details, about)
	return a, nil
}

// readAnswer reads status, responsePayload and, after the last step, user. Other members are passed over.
func readAnswer(text []byte, last bool) (answer, error) {
	members, err := strictjson.Object(text)
	if err != nil {
		return answer{}, err
	}
	var a answer
	raw := members["status"]
	if len(raw) == 0 || raw[0] < '0' || raw[0] > '9' || bytes.ContainsAny(raw, ".eE") || json.Unmarshal(raw, &a.status) != nil {
		return answer{}, errors.New("status is no integer")
	}
	if raw, given := members["responsePayload"]; given {
		if err := json.Unmarshal(raw, &a.data); err != nil {
			return answer{}, errors.New("responsePayload is no text")
		}
		if a.data != nil && len(*a.data) > maxPayload {
			return answer{}, errors.New("responsePayload is too long")
		}
	}
	if last && a.ok() {
		if a.identity, err = readUser(members["user"]); err != nil {
			return answer{}, fmt.Errorf("user: %w", err)
		}
	}
	return a, nil
}

// readUser reads who the user is: id, amr, and whatever else is known, without the claims that the server sets itself.
func readUser(raw json.RawMessage) (*store.Identity, error) {
	if len(raw) == 0 {
		return nil, errors.New("is missing")
	}
	members, err := strictjson.Object(raw)
	if err != nil {
		return nil, err
	}
	id := &store.Identity{Attributes: store.Attributes{}}
	if raw := members["id"]; json.Unmarshal(raw, &id.UserID) != nil || id.UserID == "" || utf8.RuneCountInString(id.UserID) > 255 {
		return nil, errors.New("id is no text of 1 to 255 characters")
	}
	if raw, given := members["amr"]; given {
		if err := json.Unmarshal(raw, &id.AMR); err != nil || len(id.AMR) > maxMethods ||
			slices.ContainsFunc(id.AMR, func(method string) bool { return method == "" || len(method) > 64 }) {
			return nil, errors.New("amr is no short list of texts")
		}
	}
	size := 0
	for name, raw := range members {
		if name == "id" || name == "amr" || protocolClaim(name) || string(raw) == "null" {
			continue
		}
		if size += len(name) + len(raw); size > maxAttributes {
			return nil, errors.New("has too many attributes")
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // as it was written
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("attribute: %w", err)
		}
		id.Attributes[name] = value
	}
	return id, nil
}

// protocolClaim tells whether a claim of ID tokens is the server's own.
func protocolClaim(name string) bool {
	switch name {
	case "iss", "sub", "aud", "exp", "iat", "nbf", "auth_time", "nonce", "acr", "azp", "jti", "at_hash", "c_hash", "sid":
		return true
	}
	return false
}
