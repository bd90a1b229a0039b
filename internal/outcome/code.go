package outcome

import "net/http"

// Code stands for the error member of an answer together with its HTTP status: one word may come with two statuses.
type Code int

// The codes. The first block is RFC 6749 §5.2, §4.1.2.1 and RFC 6750 §3.1, then OpenID Connect Core §3.1.2.6, then ours.
const (
	ServerError Code = iota
	InvalidRequest
	InvalidClient
	InvalidGrant
	UnauthorizedClient
	UnsupportedGrantType
	UnsupportedResponseType
	InvalidScope
	AccessDenied
	TemporarilyUnavailable
	InvalidToken
	InsufficientScope
	TooManyRequests
	PayloadTooLarge
	UnsupportedMediaType
	NotFound
	MethodNotAllowed
	LoginRequired
	ConsentRequired
	InteractionRequired
	RequestNotSupported
	RequestURINotSupported
	UnmetAuthentication
	Forbidden
	ServiceUnavailable
	// App installations: registration, validation, upgrade.
	InvalidHeader
	VersionDisabled
	RegistrationDisabled
	OSVersionNotSupported
	OSVersionMissing
	DeviceNotTrusted
	InvalidResponse
	InvalidDatetime
	InvalidClientStatement
	APIVersionNotAllowed
	// Enrollment for mobile authentication.
	FeatureDisabled
	EnrollmentDisabled
	PushTokenInUse
	UserAlreadyEnrolled
	InvalidID
	UnsupportedPlatform
	// Authentication transactions.
	InvalidTransaction
	TransactionConflict
	AlreadyFetched
	Expired
	InvalidEndpointVersion
	DecryptionFailed
	UnacceptableToken
	InvalidRefreshToken
	UserRevoked
	InvalidSignature
	// Device login (RFC 8628 §3.5), in-app approval, app-to-web sign-in.
	AuthorizationPending
	SlowDown
	ExpiredToken
	DeviceDenied
	AlreadyAuthorized
	UnsupportedIDP
	// Registration by API.
	RefusedClient
	RefusedTransaction
	UnknownProvider
	ProviderDisabled
	InsufficientLevel
	InsufficientPermissions
	UnauthorizedUser
	UnknownClientCode
	InternalServerError
)

var codes = [...]struct {
	word   string
	status int
}{
	ServerError:             {"server_error", http.StatusInternalServerError},
	InvalidRequest:          {"invalid_request", http.StatusBadRequest},
	InvalidClient:           {"invalid_client", http.StatusUnauthorized},
	InvalidGrant:            {"invalid_grant", http.StatusBadRequest},
	UnauthorizedClient:      {"unauthorized_client", http.StatusBadRequest},
	UnsupportedGrantType:    {"unsupported_grant_type", http.StatusBadRequest},
	UnsupportedResponseType: {"unsupported_response_type", http.StatusBadRequest},
	InvalidScope:            {"invalid_scope", http.StatusBadRequest},
	AccessDenied:            {"access_denied", http.StatusForbidden},
	TemporarilyUnavailable:  {"temporarily_unavailable", http.StatusServiceUnavailable},
	InvalidToken:            {"invalid_token", http.StatusUnauthorized},
	InsufficientScope:       {"insufficient_scope", http.StatusForbidden},
	TooManyRequests:         {"temporarily_unavailable", http.StatusTooManyRequests},
	PayloadTooLarge:         {"invalid_request", http.StatusRequestEntityTooLarge},
	UnsupportedMediaType:    {"invalid_request", http.StatusUnsupportedMediaType},
	NotFound:                {"not_found", http.StatusNotFound},
	MethodNotAllowed:        {"method_not_allowed", http.StatusMethodNotAllowed},
	LoginRequired:           {"login_required", http.StatusBadRequest},
	ConsentRequired:         {"consent_required", http.StatusBadRequest},
	InteractionRequired:     {"interaction_required", http.StatusBadRequest},
	RequestNotSupported:     {"request_not_supported", http.StatusBadRequest},
	RequestURINotSupported:  {"request_uri_not_supported", http.StatusBadRequest},
	UnmetAuthentication:     {"unmet_authentication_requirements", http.StatusBadRequest},
	Forbidden:               {"forbidden", http.StatusForbidden},
	ServiceUnavailable:      {"service_unavailable", http.StatusServiceUnavailable},
	InvalidHeader:           {"invalid_header", http.StatusBadRequest},
	VersionDisabled:         {"version_disabled", http.StatusForbidden},
	RegistrationDisabled:    {"registration_disabled", http.StatusForbidden},
	OSVersionNotSupported:   {"os_version_not_supported", http.StatusForbidden},
	OSVersionMissing:        {"os_version_missing", http.StatusForbidden},
	DeviceNotTrusted:        {"device_not_trusted", http.StatusForbidden},
	InvalidResponse:         {"invalid_response", http.StatusBadRequest},
	InvalidDatetime:         {"invalid_datetime", http.StatusBadRequest},
	InvalidClientStatement:  {"invalid_client_statement", http.StatusBadRequest},
	APIVersionNotAllowed:    {"api_version_not_allowed", http.StatusForbidden},
	FeatureDisabled:         {"disabled", http.StatusNotFound},
	EnrollmentDisabled:      {"enrollment_disabled", http.StatusForbidden},
	PushTokenInUse:          {"push_token_in_use", http.StatusConflict},
	UserAlreadyEnrolled:     {"user_already_enrolled", http.StatusConflict},
	InvalidID:               {"invalid_id", http.StatusNotFound},
	UnsupportedPlatform:     {"unsupported_platform", http.StatusBadRequest},
	InvalidTransaction:      {"invalid_transaction", http.StatusNotFound},
	TransactionConflict:     {"invalid_transaction", http.StatusConflict},
	AlreadyFetched:          {"already_fetched", http.StatusConflict},
	Expired:                 {"expired", http.StatusGone},
	InvalidEndpointVersion:  {"invalid_endpoint_version", http.StatusBadRequest},
	DecryptionFailed:        {"decryption_failed", http.StatusBadRequest},
	UnacceptableToken:       {"invalid_token", http.StatusBadRequest},
	InvalidRefreshToken:     {"invalid_refresh_token", http.StatusBadRequest},
	UserRevoked:             {"user_revoked", http.StatusForbidden},
	InvalidSignature:        {"invalid_signature", http.StatusBadRequest},
	AuthorizationPending:    {"authorization_pending", http.StatusBadRequest},
	SlowDown:                {"slow_down", http.StatusBadRequest},
	ExpiredToken:            {"expired_token", http.StatusBadRequest},
	DeviceDenied:            {"access_denied", http.StatusBadRequest},
	AlreadyAuthorized:       {"already_authorized", http.StatusConflict},
	UnsupportedIDP:          {"unsupported_idp", http.StatusUnprocessableEntity},
	RefusedClient:           {"invalid_client", http.StatusBadRequest},
	RefusedTransaction:      {"invalid_transaction", http.StatusBadRequest},
	UnknownProvider:         {"invalid_idp_identifier", http.StatusNotFound},
	ProviderDisabled:        {"idp_disabled", http.StatusForbidden},
	InsufficientLevel:       {"insufficient_level", http.StatusForbidden},
	InsufficientPermissions: {"insufficient_permissions", http.StatusForbidden},
	UnauthorizedUser:        {"unauthorized_user", http.StatusBadRequest},
	UnknownClientCode:       {"unknown_client_code", http.StatusNotFound},
	InternalServerError:     {"internal_server_error", http.StatusInternalServerError},
}

// String returns the error member of the answer.
func (c Code) String() string { return codes[c].word }

// Status returns the HTTP status of the answer. It is the only place where a code becomes a status.
func (c Code) Status() int { return codes[c].status }
