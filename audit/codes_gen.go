// Code generated from catalogue.txt by go generate. DO NOT EDIT.

package audit

// The codes of the catalogue, in its order.
const (
	ConsentGiven                                          Code = "CONSENT_GIVEN"                                                 // The user approved the scopes a client asked for.
	ConsentCSRFInvalid                                    Code = "CONSENT_CSRF_INVALID"                                          // A submitted consent form carried an anti-forgery token that is unknown, too old or bound to another request.
	APIAuthenticationFailed                               Code = "API_AUTHENTICATION_FAILED"                                     // A caller of the end-user API did not present a valid API user name and password.
	APIConsentListed                                      Code = "API_CONSENT_LISTED"                                            // The consents of one user were handed out over the end-user API.
	APIConsentNoDataFound                                 Code = "API_CONSENT_NO_DATA_FOUND"                                     // The end-user API holds no consent for the requested user.
	APIConsentRemoved                                     Code = "API_CONSENT_REMOVED"                                           // One client's complete consent was withdrawn for a user over the end-user API.
	APIConsentNotRemovedNotFound                          Code = "API_CONSENT_NOT_REMOVED_NOT_FOUND"                             // The consent that should be withdrawn does not exist.
	APIConsentNotRemovedForbidden                         Code = "API_CONSENT_NOT_REMOVED_FORBIDDEN"                             // A consent was to be withdrawn under the wrong user.
	APITokensListed                                       Code = "API_TOKENS_LISTED"                                             // The live access tokens of one user were handed out over the end-user API.
	APITokensNoDataFound                                  Code = "API_TOKENS_NO_DATA_FOUND"                                      // The end-user API knows no usable access token for the requested user.
	APITokenRemoved                                       Code = "API_TOKEN_REMOVED"                                             // One access token of a user was deleted over the end-user API.
	APITokenNotRemovedNotFound                            Code = "API_TOKEN_NOT_REMOVED_NOT_FOUND"                               // The access token to delete does not exist.
	APITokenNotRemovedForbidden                           Code = "API_TOKEN_NOT_REMOVED_FORBIDDEN"                               // An access token was to be deleted under a user who does not own it.
	APINotificationSettingNotFound                        Code = "API_NOTIFICATION_SETTING_NOT_FOUND"                            // There is no user to whom the requested notification preference could belong.
	APINotificationSettingFound                           Code = "API_NOTIFICATION_SETTING_FOUND"                                // A user's notification channel, own or default, was returned.
	APINotificationSettingRemoved                         Code = "API_NOTIFICATION_SETTING_REMOVED"                              // A user's own notification choice was dropped so that the default applies again.
	APINotificationSettingSet                             Code = "API_NOTIFICATION_SETTING_SET"                                  // A user's notification channel was stored.
	APINotificationSettingSetFailed                       Code = "API_NOTIFICATION_SETTING_SET_FAILED"                           // A notification channel was refused because its value is not one of the two known ones.
	APIDevicesListed                                      Code = "API_DEVICES_LISTED"                                            // The devices a user registered were returned.
	APIDevicesNoDataFound                                 Code = "API_DEVICES_NO_DATA_FOUND"                                     // No device is registered for the requested user.
	APIDeviceRemoved                                      Code = "API_DEVICE_REMOVED"                                            // A device was removed completely for its last or only user.
	APIDeviceRemovedForOneProfile                         Code = "API_DEVICE_REMOVED_FOR_ONE_PROFILE"                            // Only the data of one user profile was cleared from a device shared by several users.
	APIDeviceNotRemovedForbidden                          Code = "API_DEVICE_NOT_REMOVED_FORBIDDEN"                              // A device was to be removed under a user who is not registered on it.
	APIFingerPrintNotDisabledClientNotFound               Code = "API_FINGER_PRINT_NOT_DISABLED_CLIENT_NOT_FOUND"                // Fingerprint could not be switched off because the device id is unknown.
	APIFingerPrintNotDisabledForbidden                    Code = "API_FINGER_PRINT_NOT_DISABLED_FORBIDDEN"                       // Fingerprint could not be switched off because the device is not one of this user's.
	APIFingerPrintDisabled                                Code = "API_FINGER_PRINT_DISABLED"                                     // The fingerprint tokens of a user on one device were revoked.
	APIAppListed                                          Code = "API_APP_LISTED"                                                // The applications a user gave access to were returned.
	APIAppNoDataFound                                     Code = "API_APP_NO_DATA_FOUND"                                         // No application has access on behalf of the requested user.
	APIAppRemoved                                         Code = "API_APP_REMOVED"                                               // All access of one application was withdrawn for a user.
	APIAuthenticationAppsListed                           Code = "API_AUTHENTICATION_APPS_LISTED"                                // The app instances that can answer mobile authentication for a user were returned.
	APIAuthenticationAppNotFound                          Code = "API_AUTHENTICATION_APP_NOT_FOUND"                              // No app instance is enrolled for mobile authentication for the requested user.
	APIAuthenticationAppRemoved                           Code = "API_AUTHENTICATION_APP_REMOVED"                                // Mobile authentication was taken away from one app instance of a user.
	APIAuthenticationAppNotRemovedNotFound                Code = "API_AUTHENTICATION_APP_NOT_REMOVED_NOT_FOUND"                  // Mobile authentication could not be taken away because the app instance does not exist.
	APIAuthenticationAppNotRemovedForbidden               Code = "API_AUTHENTICATION_APP_NOT_REMOVED_FORBIDDEN"                  // Mobile authentication could not be taken away because the app instance is someone else's.
	APIPayloadEncryptionApplicationDisabled               Code = "API_PAYLOAD_ENCRYPTION_APPLICATION_DISABLED"                   // The security proxy asked for the encryption policy of an app version that is switched off.
	APIPayloadEncryptionPolicyNotFound                    Code = "API_PAYLOAD_ENCRYPTION_POLICY_NOT_FOUND"                       // No encryption policy exists for what the security proxy asked for.
	APIPayloadEncryptionInvalidParameters                 Code = "API_PAYLOAD_ENCRYPTION_INVALID_PARAMETERS"                     // The policy lookup of the security proxy was incomplete or malformed.
	APIPayloadEncryptionPolicyFound                       Code = "API_PAYLOAD_ENCRYPTION_POLICY_FOUND"                           // The security proxy received an encryption policy.
	APIPayloadEncryptionInvalidAccessToken                Code = "API_PAYLOAD_ENCRYPTION_INVALID_ACCESS_TOKEN"                   // The access token given for the policy lookup is unknown, expired or revoked.
	APIVersionNotAllowed                                  Code = "API_VERSION_NOT_ALLOWED"                                       // The caller used an endpoint version that is not open to its client or SDK generation.
	ExternalScopeCheckFailed                              Code = "EXTERNAL_SCOPE_CHECK_FAILED"                                   // The external scope verification service could not give a usable verdict.
	ExternalNotificationFailed                            Code = "EXTERNAL_NOTIFICATION_FAILED"                                  // The external service that tells users about account events did not accept a notification.
	AdminAuthenticationFailure                            Code = "ADMIN_AUTHENTICATION_FAILURE"                                  // Someone failed to sign in to the admin console.
	AdminAuthenticationSuccess                            Code = "ADMIN_AUTHENTICATION_SUCCESS"                                  // An administrator signed in to the console.
	AdminClientDeleted                                    Code = "ADMIN_CLIENT_DELETED"                                          // An OAuth client was deleted in the admin console.
	AdminClientUpdated                                    Code = "ADMIN_CLIENT_UPDATED"                                          // The settings of an OAuth client were changed in the admin console.
	AdminStaticClientCreated                              Code = "ADMIN_STATIC_CLIENT_CREATED"                                   // A web client was added in the admin console.
	AdminAPIClientCreated                                 Code = "ADMIN_API_CLIENT_CREATED"                                      // A client that may call the server APIs was added in the admin console.
	AdminScopeDeleted                                     Code = "ADMIN_SCOPE_DELETED"                                           // A scope was deleted in the admin console.
	AdminScopeCreated                                     Code = "ADMIN_SCOPE_CREATED"                                           // A scope was added in the admin console.
	AdminScopeUpdated                                     Code = "ADMIN_SCOPE_UPDATED"                                           // A scope was changed in the admin console.
	AdminMobileAppCreated                                 Code = "ADMIN_MOBILE_APP_CREATED"                                      // A mobile application was added in the admin console.
	AdminMobileAppDeleted                                 Code = "ADMIN_MOBILE_APP_DELETED"                                      // A mobile application was deleted in the admin console.
	AdminMobileAppUpdated                                 Code = "ADMIN_MOBILE_APP_UPDATED"                                      // The settings of a mobile application were changed in the admin console.
	AdminMobilePlatformCreated                            Code = "ADMIN_MOBILE_PLATFORM_CREATED"                                 // A mobile operating system was added to the OS rules.
	AdminMobilePlatformDeleted                            Code = "ADMIN_MOBILE_PLATFORM_DELETED"                                 // The rules for a mobile operating system were deleted.
	AdminMobilePlatformUpdated                            Code = "ADMIN_MOBILE_PLATFORM_UPDATED"                                 // The rules for a mobile operating system were changed.
	AdminMobileConfigUpdated                              Code = "ADMIN_MOBILE_CONFIG_UPDATED"                                   // The general mobile-authentication settings were changed.
	AdminCorsConfigUpdated                                Code = "ADMIN_CORS_CONFIG_UPDATED"                                     // The cross-origin settings were changed.
	AdminMobilePlatformVersionCreated                     Code = "ADMIN_MOBILE_PLATFORM_VERSION_CREATED"                         // An app version for a platform was added.
	AdminMobilePlatformVersionUpdated                     Code = "ADMIN_MOBILE_PLATFORM_VERSION_UPDATED"                         // An app version was changed.
	AdminMobilePlatformVersionDeleted                     Code = "ADMIN_MOBILE_PLATFORM_VERSION_DELETED"                         // An app version was deleted.
	AdminAuthPropertiesSetCreated                         Code = "ADMIN_AUTH_PROPERTIES_SET_CREATED"                             // A mobile authentication type was added.
	AdminAuthPropertiesSetUpdated                         Code = "ADMIN_AUTH_PROPERTIES_SET_UPDATED"                             // A mobile authentication type was changed.
	AdminAuthPropertiesSetDeleted                         Code = "ADMIN_AUTH_PROPERTIES_SET_DELETED"                             // A mobile authentication type was deleted.
	AdminCallbackConfigCreated                            Code = "ADMIN_CALLBACK_CONFIG_CREATED"                                 // A callback address for authentication results was added.
	AdminCallbackConfigUpdated                            Code = "ADMIN_CALLBACK_CONFIG_UPDATED"                                 // A callback address was changed.
	AdminCallbackConfigDeleted                            Code = "ADMIN_CALLBACK_CONFIG_DELETED"                                 // A callback address was deleted.
	AdminPushMessagingConfigCreated                       Code = "ADMIN_PUSH_MESSAGING_CONFIG_CREATED"                           // Credentials for a push service were added.
	AdminPushMessagingConfigUpdated                       Code = "ADMIN_PUSH_MESSAGING_CONFIG_UPDATED"                           // Credentials for a push service were changed.
	AdminPushMessagingConfigDeleted                       Code = "ADMIN_PUSH_MESSAGING_CONFIG_DELETED"                           // Credentials for a push service were deleted.
	AdminIdentityProviderCreated                          Code = "ADMIN_IDENTITY_PROVIDER_CREATED"                               // An identity provider was added.
	AdminIdentityProviderDeleted                          Code = "ADMIN_IDENTITY_PROVIDER_DELETED"                               // An identity provider was deleted.
	AdminIdentityProviderUpdated                          Code = "ADMIN_IDENTITY_PROVIDER_UPDATED"                               // An identity provider was changed.
	AdminIdentityProviderAttributeMappingCreated          Code = "ADMIN_IDENTITY_PROVIDER_ATTRIBUTE_MAPPING_CREATED"             // An attribute mapping of an identity provider was added.
	AdminIdentityProviderAttributeMappingDeleted          Code = "ADMIN_IDENTITY_PROVIDER_ATTRIBUTE_MAPPING_DELETED"             // An attribute mapping of an identity provider was deleted.
	AdminIdentityProviderAttributeMappingUpdated          Code = "ADMIN_IDENTITY_PROVIDER_ATTRIBUTE_MAPPING_UPDATED"             // An attribute mapping of an identity provider was changed.
	AdminPINPolicyCreated                                 Code = "ADMIN_PIN_POLICY_CREATED"                                      // A set of PIN rules was added.
	AdminPINPolicyUpdated                                 Code = "ADMIN_PIN_POLICY_UPDATED"                                      // A set of PIN rules was changed.
	AdminMessageCreated                                   Code = "ADMIN_MESSAGE_CREATED"                                         // A translated text was added.
	AdminMessageDeleted                                   Code = "ADMIN_MESSAGE_DELETED"                                         // A translated text was deleted.
	AdminMessageUpdated                                   Code = "ADMIN_MESSAGE_UPDATED"                                         // A translated text was changed.
	AdminUserRevoked                                      Code = "ADMIN_USER_REVOKED"                                            // An administrator cut a user loose from a device.
	AdminApplicationInstanceRevoked                       Code = "ADMIN_APPLICATION_INSTANCE_REVOKED"                            // An administrator took mobile authentication away from a user.
	AdminApplicationInstanceNotRevokedNotFound            Code = "ADMIN_APPLICATION_INSTANCE_NOT_REVOKED_NOT_FOUND"              // An administrator tried to take mobile authentication away where there is none.
	AdminApplicationInstanceNotRevokedIncorrectDevice     Code = "ADMIN_APPLICATION_INSTANCE_NOT_REVOKED_INCORRECT_DEVICE"       // An administrator tried to take mobile authentication away on another device than the enrolled one.
	AdminTemplatesTemplateSetsCreated                     Code = "ADMIN_TEMPLATES_TEMPLATE_SETS_CREATED"                         // A set of page templates was added.
	AdminTemplatesTemplateSetsUpdated                     Code = "ADMIN_TEMPLATES_TEMPLATE_SETS_UPDATED"                         // A set of page templates was changed.
	AdminTemplatesTemplateSetsDeleted                     Code = "ADMIN_TEMPLATES_TEMPLATE_SETS_DELETED"                         // A set of page templates was deleted.
	AdminFIDOConfigUpdated                                Code = "ADMIN_FIDO_CONFIG_UPDATED"                                     // The FIDO settings were changed.
	AdminFIDOPolicyMappingCreated                         Code = "ADMIN_FIDO_POLICY_MAPPING_CREATED"                             // A FIDO authenticator was tied to a policy.
	AdminFIDOPolicyMappingUpdated                         Code = "ADMIN_FIDO_POLICY_MAPPING_UPDATED"                             // The tie between a FIDO authenticator and its policy was changed.
	AdminFIDOPolicyMappingDeleted                         Code = "ADMIN_FIDO_POLICY_MAPPING_DELETED"                             // The tie between a FIDO authenticator and its policy was deleted.
	HelpdeskClientDeleteUnauthorized                      Code = "HELPDESK_CLIENT_DELETE_UNAUTHORIZED"                           // A console user without the right to do so tried to delete an app installation.
	HelpdeskApplicationInstanceNotRevokedForbidden        Code = "HELPDESK_APPLICATION_INSTANCE_NOT_REVOKED_FORBIDDEN"           // Older name: a console user without the right to do so tried to take mobile authentication away.
	HelpdeskApplicationInstanceRevokeUnauthorized         Code = "HELPDESK_APPLICATION_INSTANCE_REVOKE_UNAUTHORIZED"             // A console user without the right to do so tried to take mobile authentication away.
	ClientCredentialsCheckSuccess                         Code = "CLIENT_CREDENTIALS_CHECK_SUCCESS"                              // An app installation proved its freshly issued client credentials.
	ClientCredentialsCheckSkipped                         Code = "CLIENT_CREDENTIALS_CHECK_SKIPPED"                              // The secret of an app installation was not looked at because its application runs in development mode.
	ClientCredentialsCheckFailed                          Code = "CLIENT_CREDENTIALS_CHECK_FAILED"                               // An app installation could not prove its client credentials.
	ClientValidationInvalidHeader                         Code = "CLIENT_VALIDATION_INVALID_HEADER"                              // The start-up check of an app lacked an identification header or named an application that is not configured.
	ClientValidationVersionDisabled                       Code = "CLIENT_VALIDATION_VERSION_DISABLED"                            // The start-up check was refused because this app version is switched off.
	ClientValidationUpgradeInitialized                    Code = "CLIENT_VALIDATION_UPGRADE_INITIALIZED"                         // The start-up check found a newer app version and began the upgrade of the client.
	ClientValidationDebuggerDetected                      Code = "CLIENT_VALIDATION_DEBUGGER_DETECTED"                           // The app reported that a debugger is attached.
	ClientValidationJailbreakDetected                     Code = "CLIENT_VALIDATION_JAILBREAK_DETECTED"                          // The app reported a jailbroken or rooted device.
	ClientValidationAbuseDetected                         Code = "CLIENT_VALIDATION_ABUSE_DETECTED"                              // The app's signature does not match a known build, so the app may have been tampered with.
	ClientValidationOSVersionInvalid                      Code = "CLIENT_VALIDATION_OS_VERSION_INVALID"                          // The start-up check was refused because of the operating system version.
	DynamicRegInvalidHeader                               Code = "DYNAMIC_REG_INVALID_HEADER"                                    // A registration attempt lacked an identification header or named an application that is not configured.
	DynamicRegInvalidRequest                              Code = "DYNAMIC_REG_INVALID_REQUEST"                                   // The second step of a registration came without its identifier or its challenge response.
	DynamicRegSuccess                                     Code = "DYNAMIC_REG_SUCCESS"                                           // An app installation was registered as a new dynamic client.
	DynamicRegFailed                                      Code = "DYNAMIC_REG_FAILED"                                            // A registration was refused because the challenge was answered wrongly.
	DynamicRegNewRegistrationsDisabled                    Code = "DYNAMIC_REG_NEW_REGISTRATIONS_DISABLED"                        // This app version no longer accepts first-time registrations.
	DynamicRegVersionDisabled                             Code = "DYNAMIC_REG_VERSION_DISABLED"                                  // A registration was refused because this app version is switched off.
	DynamicRegOSVersionInvalid                            Code = "DYNAMIC_REG_OS_VERSION_INVALID"                                // A registration was refused because of the operating system version.
	DynamicUpSuccess                                      Code = "DYNAMIC_UP_SUCCESS"                                            // An installation was moved to its new app version.
	DynamicUpFailed                                       Code = "DYNAMIC_UP_FAILED"                                             // An installation could not be moved to its new app version.
	AuthorizationLvlUnsupported                           Code = "AUTHORIZATION_LVL_UNSUPPORTED"                                 // The authentication level handed over with the signed-in user is not a whole number.
	AuthorizationFailedUnableToGenerateIDToken            Code = "AUTHORIZATION_FAILED_UNABLE_TO_GENERATE_ID_TOKEN"              // No ID token could be produced for an OpenID Connect request.
	AuthzRequestAuthenticationLvlInsufficient             Code = "AUTHZ_REQUEST_AUTHENTICATION_LVL_INSUFFICIENT"                 // The user is signed in at a lower level than a requested scope demands.
	AuthzRequestInvalid                                   Code = "AUTHZ_REQUEST_INVALID"                                         // The authorization request lacks something it must have.
	AuthzRequestRedirectUriInvalid                        Code = "AUTHZ_REQUEST_REDIRECT_URI_INVALID"                            // The redirect address of the authorization request is not one registered for the client.
	AuthzRequestScopeInvalid                              Code = "AUTHZ_REQUEST_SCOPE_INVALID"                                   // The client asked for a scope it is not allowed to ask for.
	AuthzRequestNotAuthorizedForScope                     Code = "AUTHZ_REQUEST_NOT_AUTHORIZED_FOR_SCOPE"                        // The scope verification service says the user may not have a requested scope.
	AuthzRequestGrantCreated                              Code = "AUTHZ_REQUEST_GRANT_CREATED"                                   // An authorization code was issued to a client.
	AuthzRequestTokenCreated                              Code = "AUTHZ_REQUEST_TOKEN_CREATED"                                   // An access token was issued straight from the authorization endpoint.
	AuthzRequestInvalidResponseType                       Code = "AUTHZ_REQUEST_INVALID_RESPONSE_TYPE"                           // The response type is unknown or its grant is not enabled for the client.
	TokenRequestInvalid                                   Code = "TOKEN_REQUEST_INVALID"                                         // The token request lacks something it must have.
	TokenRequestInvalidGrant                              Code = "TOKEN_REQUEST_INVALID_GRANT"                                   // The authorization code is unknown, too old, already used or not this client's.
	TokenRequestScopeInvalid                              Code = "TOKEN_REQUEST_SCOPE_INVALID"                                   // The token request asks for a scope the client does not have.
	TokenRequestNotAuthorizedForScope                     Code = "TOKEN_REQUEST_NOT_AUTHORIZED_FOR_SCOPE"                        // At token time the scope verification service says the user may not have a scope.
	TokenRequestInvalidClientCredentials                  Code = "TOKEN_REQUEST_INVALID_CLIENT_CREDENTIALS"                      // A known client gave the wrong secret.
	TokenRequestInvalidRefreshToken                       Code = "TOKEN_REQUEST_INVALID_REFRESH_TOKEN"                           // The refresh token fits no stored token.
	TokenRequestInvalidBearerToken                        Code = "TOKEN_REQUEST_INVALID_BEARER_TOKEN"                            // A resource server asked about an access token that the server does not know.
	TokenRequestDisabledGrantType                         Code = "TOKEN_REQUEST_DISABLED_GRANT_TYPE"                             // The client is not set up for the grant type it uses.
	TokenRequestUnsupportedGrantType                      Code = "TOKEN_REQUEST_UNSUPPORTED_GRANT_TYPE"                          // The grant type means nothing to the server.
	TokenRequestInvalidClient                             Code = "TOKEN_REQUEST_INVALID_CLIENT"                                  // The token request names a client that does not exist.
	TokenRequestAccessTokenCreated                        Code = "TOKEN_REQUEST_ACCESS_TOKEN_CREATED"                            // A code (or client credentials) was exchanged for an access token.
	TokenRequestAccessTokenRefreshed                      Code = "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED"                          // A new access token was issued for a refresh token.
	TokenRequestInvalidAccessToken                        Code = "TOKEN_REQUEST_INVALID_ACCESS_TOKEN"                            // A resource server asked about an access token that is no longer live.
	TokenRequestAccessTokenValidated                      Code = "TOKEN_REQUEST_ACCESS_TOKEN_VALIDATED"                          // A resource server learned that an access token is live.
	TokenRequestFingerPrintInvalidClientCredentials       Code = "TOKEN_REQUEST_FINGER_PRINT_INVALID_CLIENT_CREDENTIALS"         // An app installation asked for a fingerprint refresh token with bad client credentials.
	TokenRequestFingerPrintInvalidRefreshToken            Code = "TOKEN_REQUEST_FINGER_PRINT_INVALID_REFRESH_TOKEN"              // Fingerprint could not be set up because the ordinary refresh token was not right.
	TokenRequestFingerPrintTokenCreated                   Code = "TOKEN_REQUEST_FINGER_PRINT_TOKEN_CREATED"                      // A fingerprint refresh token was issued and the ordinary refresh token was renewed.
	TokenRequestFingerPrintAccessTokenRefreshed           Code = "TOKEN_REQUEST_FINGER_PRINT_ACCESS_TOKEN_REFRESHED"             // A new access token was issued for a fingerprint refresh token.
	TokenRequestFingerPrintRefreshTokenRetryCountExceeded Code = "TOKEN_REQUEST_FINGER_PRINT_REFRESH_TOKEN_RETRY_COUNT_EXCEEDED" // A wrong fingerprint refresh token made the server drop all fingerprint tokens of the client.
	TokenRequestInvalidProfileID                          Code = "TOKEN_REQUEST_INVALID_PROFILE_ID"                              // The profile id sent by the app is malformed or taken by another user of the same installation.
	TokenRevokeAccessTokenSuccess                         Code = "TOKEN_REVOKE_ACCESS_TOKEN_SUCCESS"                             // An access token was revoked on its own.
	TokenRevokeAccessTokenInvalid                         Code = "TOKEN_REVOKE_ACCESS_TOKEN_INVALID"                             // Revoking an access token came to nothing.
	TokenRevokeRefreshTokenSuccess                        Code = "TOKEN_REVOKE_REFRESH_TOKEN_SUCCESS"                            // A refresh token was revoked together with the access tokens made from it.
	TokenRevokeRefreshTokenInvalid                        Code = "TOKEN_REVOKE_REFRESH_TOKEN_INVALID"                            // Revoking a refresh token came to nothing.
	TokenRequestRefreshTokenRetryCountExceeded            Code = "TOKEN_REQUEST_REFRESH_TOKEN_RETRY_COUNT_EXCEEDED"              // Too many wrong refresh attempts killed the refresh token.
	TokenRevokeClientInvalid                              Code = "TOKEN_REVOKE_CLIENT_INVALID"                                   // A revocation was refused because the caller could not identify itself as a client.
	TokenRevokeTokenInvalid                               Code = "TOKEN_REVOKE_TOKEN_INVALID"                                    // A token without type hint matched nothing that could be revoked.
	TokenRevokeClientTokensSuccess                        Code = "TOKEN_REVOKE_CLIENT_TOKENS_SUCCESS"                            // Every token of one client was revoked in a single call.
	TokenRevokeProfileSuccess                             Code = "TOKEN_REVOKE_PROFILE_SUCCESS"                                  // A profile on an installation was signed off with all its tokens.
	TokenRevokeClientFingerPrintTokensSuccess             Code = "TOKEN_REVOKE_CLIENT_FINGER_PRINT_TOKENS_SUCCESS"               // Every fingerprint token of one client was revoked.
	TokenRevokeProfileTokensSuccess                       Code = "TOKEN_REVOKE_PROFILE_TOKENS_SUCCESS"                           // Every token of one profile on one client was revoked, the profile itself stays.
	TokenRevokeProfileFingerPrintTokensSuccess            Code = "TOKEN_REVOKE_PROFILE_FINGER_PRINT_TOKENS_SUCCESS"              // Every fingerprint token of one profile on one client was revoked.
	EnrollmentFailureDisabled                             Code = "ENROLLMENT_FAILURE_DISABLED"                                   // Enrollment for mobile authentication is switched off.
	EnrollmentInitialized                                 Code = "ENROLLMENT_INITIALIZED"                                        // The first step of an enrollment succeeded.
	EnrollmentInitFailureInvalidReq                       Code = "ENROLLMENT_INIT_FAILURE_INVALID_REQ"                           // The first enrollment step had missing or wrong input.
	EnrollmentInitFailureInvalidToken                     Code = "ENROLLMENT_INIT_FAILURE_INVALID_TOKEN"                         // The first enrollment step came without a usable user access token.
	EnrollmentInitFailureExistingPushToken                Code = "ENROLLMENT_INIT_FAILURE_EXISTING_PUSH_TOKEN"                   // The push token is already in use by another enrollment.
	EnrollmentInitFailureUserEnrolled                     Code = "ENROLLMENT_INIT_FAILURE_USER_ENROLLED"                         // The user already has an enrollment and may not have a second one.
	EnrollmentInitDropExistingAppInstance                 Code = "ENROLLMENT_INIT_DROP_EXISTING_APP_INSTANCE"                    // An older app instance of the same user with the same push token was dropped, as after a reinstall.
	EnrollmentKeyFetched                                  Code = "ENROLLMENT_KEY_FETCHED"                                        // The app collected the server's public key for its enrollment.
	EnrollmentKeyFailureInvalidID                         Code = "ENROLLMENT_KEY_FAILURE_INVALID_ID"                             // The key was asked for with an enrollment identifier that does not exist.
	EnrollmentAckSuccess                                  Code = "ENROLLMENT_ACK_SUCCESS"                                        // The app confirmed and the enrollment is complete.
	EnrollmentKeyFailureInvalidReq                        Code = "ENROLLMENT_KEY_FAILURE_INVALID_REQ"                            // The key step had missing or wrong input.
	EnrollmentAckFailureInvalidID                         Code = "ENROLLMENT_ACK_FAILURE_INVALID_ID"                             // The confirmation named an enrollment that does not exist.
	EnrollmentUpdateSuccess                               Code = "ENROLLMENT_UPDATE_SUCCESS"                                     // The push token of an enrolled app instance was replaced.
	EnrollmentUpdateFailureInvalidReq                     Code = "ENROLLMENT_UPDATE_FAILURE_INVALID_REQ"                         // The push token could not be replaced because the input was wrong or the old token did not match.
	EnrollmentUpdateFailureInvalidToken                   Code = "ENROLLMENT_UPDATE_FAILURE_INVALID_TOKEN"                       // The push token could not be replaced because the access token is not usable.
	EnrollmentUpdateFailureUnsupportedPlatform            Code = "ENROLLMENT_UPDATE_FAILURE_UNSUPPORTED_PLATFORM"                // The push token could not be replaced because the client's platform has no such operation.
	OneTimePasswordAuthSucceeded                          Code = "ONE_TIME_PASSWORD_AUTH_SUCCEEDED"                              // A user proved an identity with a one-time password (the code from the QR).
	OneTimePasswordAuthFailed                             Code = "ONE_TIME_PASSWORD_AUTH_FAILED"                                 // A one-time password was not accepted.
	OneTimePasswordGenerationFailedMissingUserID          Code = "ONE_TIME_PASSWORD_GENERATION_FAILED_MISSING_USER_ID"           // No one-time password could be made because it was not said for whom.
	APIAccessNotAllowedInvalidCredentials                 Code = "API_ACCESS_NOT_ALLOWED_INVALID_CREDENTIALS"                    // A server API was called with bad API-client credentials.
	APIAccessNotAllowedDisabledGrantType                  Code = "API_ACCESS_NOT_ALLOWED_DISABLED_GRANT_TYPE"                    // A server API was called by a client that may not use client credentials.
	APIAccessNotAllowedInvalidScopes                      Code = "API_ACCESS_NOT_ALLOWED_INVALID_SCOPES"                         // A server API was called by an API client that was not given that API.
	APIAccessGranted                                      Code = "API_ACCESS_GRANTED"                                            // An API client was let in to a server API.
	PushAuthInitialized                                   Code = "PUSH_AUTH_INITIALIZED"                                         // A push authentication was started and the message went out.
	PushAuthInitFailure                                   Code = "PUSH_AUTH_INIT_FAILURE"                                        // The push service could not be reached or refused the message.
	PushAuthInitFailureNoAppInstance                      Code = "PUSH_AUTH_INIT_FAILURE_NO_APP_INSTANCE"                        // The user has no app instance to push to.
	PushAuthInitFailureAuthMethodNotAvailable             Code = "PUSH_AUTH_INIT_FAILURE_AUTH_METHOD_NOT_AVAILABLE"              // The user cannot be authenticated with the method of the chosen type.
	PushAuthInitFailureDisabled                           Code = "PUSH_AUTH_INIT_FAILURE_DISABLED"                               // Push authentication is switched off.
	PushAuthInitFailureInvalidReq                         Code = "PUSH_AUTH_INIT_FAILURE_INVALID_REQ"                            // The start of a push authentication had missing or wrong input.
	AuthInitFailureInvalidAuthPropertiesName              Code = "AUTH_INIT_FAILURE_INVALID_AUTH_PROPERTIES_NAME"                // The named mobile authentication type does not exist.
	PushAuthInitFailureMessageTooLong                     Code = "PUSH_AUTH_INIT_FAILURE_MESSAGE_TOO_LONG"                       // The message to show is longer than allowed.
	PushAuthResendFailureResendLimitReached               Code = "PUSH_AUTH_RESEND_FAILURE_RESEND_LIMIT_REACHED"                 // The push message was not sent again because it was sent often enough.
	PushAuthResendFailureNoAppInstance                    Code = "PUSH_AUTH_RESEND_FAILURE_NO_APP_INSTANCE"                      // The push message was not sent again because the user has no app instance any more.
	PushAuthResendFailure                                 Code = "PUSH_AUTH_RESEND_FAILURE"                                      // The push message was not sent again because the push service failed or refused.
	PushAuthResendSuccess                                 Code = "PUSH_AUTH_RESEND_SUCCESS"                                      // The push message was sent again.
	PushAuthAuthenticated                                 Code = "PUSH_AUTH_AUTHENTICATED"                                       // The user approved a push authentication and proved what the method demands.
	PushAuthNotAuthenticated                              Code = "PUSH_AUTH_NOT_AUTHENTICATED"                                   // The user turned a push authentication down.
	PushAuthNotAuthenticatedInvalidTransaction            Code = "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TRANSACTION"               // An answer named a transaction the server does not have.
	PushAuthNotAuthenticatedInvalidToken                  Code = "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TOKEN"                     // An answer carried a wrong authentication token.
	PushAuthNotAuthenticatedTransactionExpired            Code = "PUSH_AUTH_NOT_AUTHENTICATED_TRANSACTION_EXPIRED"               // An answer came after the transaction had run out.
	PushAuthNotAuthenticatedInvalidEndpointVersion        Code = "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_ENDPOINT_VERSION"          // An answer came in on an endpoint version that does not belong to its transaction.
	PushAuthNotAuthenticatedFailedToDecryptMessage        Code = "PUSH_AUTH_NOT_AUTHENTICATED_FAILED_TO_DECRYPT_MESSAGE"         // An answer could not be decrypted.
	PushAuthCallbackSent                                  Code = "PUSH_AUTH_CALLBACK_SENT"                                       // The party that started the authentication was told that a result is ready.
	PushAuthCallbackFailed                                Code = "PUSH_AUTH_CALLBACK_FAILED"                                     // The party that started the authentication could not be told about the result.
	PushAuthValidationPINLimitExceeded                    Code = "PUSH_AUTH_VALIDATION_PIN_LIMIT_EXCEEDED"                       // Too many wrong PINs in push answers cut the user off from the app instance.
	PushAuthValidationFingerPrintLimitExceeded            Code = "PUSH_AUTH_VALIDATION_FINGER_PRINT_LIMIT_EXCEEDED"              // A wrong fingerprint token in a push answer took fingerprint away from the user.
	PushAuthTransactionRetrieved                          Code = "PUSH_AUTH_TRANSACTION_RETRIEVED"                               // The result of a transaction was handed to the party that asked.
	PushAuthTransactionNotRetrieved                       Code = "PUSH_AUTH_TRANSACTION_NOT_RETRIEVED"                           // The result of a transaction was asked for with an id that does not exist.
	PushAuthNotAuthenticatedInvalidRefreshToken           Code = "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_REFRESH_TOKEN"             // An answer carried a refresh token that is not right, as with a wrong PIN.
	SMSAuthInitFailurePhoneNumberInvalidOrMissing         Code = "SMS_AUTH_INIT_FAILURE_PHONE_NUMBER_INVALID_OR_MISSING"         // SMS authentication could not start because the phone number is absent or not a number.
	SMSAuthInitFailureFailedToSendSMS                     Code = "SMS_AUTH_INIT_FAILURE_FAILED_TO_SEND_SMS"                      // SMS authentication could not start because the message could not be sent.
	SMSAuthNotAuthenticatedInvalidVerificationCode        Code = "SMS_AUTH_NOT_AUTHENTICATED_INVALID_VERIFICATION_CODE"          // A wrong SMS code was entered.
	SMSAuthInitFailureDisabled                            Code = "SMS_AUTH_INIT_FAILURE_DISABLED"                                // SMS authentication is switched off.
	SMSAuthInitMessageSent                                Code = "SMS_AUTH_INIT_MESSAGE_SENT"                                    // An SMS with a code was sent.
	PushAuthFetchSecuredMessageFetched                    Code = "PUSH_AUTH_FETCH_SECURED_MESSAGE_FETCHED"                       // The app fetched the encrypted message of a transaction.
	PushAuthFetchFailedInvalidTransaction                 Code = "PUSH_AUTH_FETCH_FAILED_INVALID_TRANSACTION"                    // The app asked for the message of a transaction that does not exist.
	PushAuthFetchFailedTransactionAlreadyFetched          Code = "PUSH_AUTH_FETCH_FAILED_TRANSACTION_ALREADY_FETCHED"            // The message of a transaction was asked for a second time.
	PushAuthFetchFailedTransactionExpired                 Code = "PUSH_AUTH_FETCH_FAILED_TRANSACTION_EXPIRED"                    // The message of a transaction was asked for too late.
	SMSAuthAuthenticated                                  Code = "SMS_AUTH_AUTHENTICATED"                                        // The user proved to have received the SMS.
	SMSAuthFailureInvalidTransaction                      Code = "SMS_AUTH_FAILURE_INVALID_TRANSACTION"                          // A code was sent in for an SMS transaction that does not exist.
	SMSAuthValidationLimitExceeded                        Code = "SMS_AUTH_VALIDATION_LIMIT_EXCEEDED"                            // Too many wrong SMS codes closed the transaction.
	SMSResendFailed                                       Code = "SMS_RESEND_FAILED"                                             // The SMS was not sent again.
	SMSResendSucceeded                                    Code = "SMS_RESEND_SUCCEEDED"                                          // The SMS was sent again.
	UnableToDetermineIdentityProvider                     Code = "UNABLE_TO_DETERMINE_IDENTITY_PROVIDER"                         // No identity provider fits the authorization request.
	MobileClientUpdatedPlatformVersion                    Code = "MOBILE_CLIENT_UPDATED_PLATFORM_VERSION"                        // The stored app version of an installation was brought up to date.
	SMSStepUpCSRFInvalid                                  Code = "SMS_STEP_UP_CSRF_INVALID"                                      // The step-up form for the SMS code carried a bad anti-forgery token.
	SMSStepUpCodeInvalid                                  Code = "SMS_STEP_UP_CODE_INVALID"                                      // A wrong code was entered on the SMS step-up page.
	IDPOauthStateMismatch                                 Code = "IDP_OAUTH_STATE_MISMATCH"                                      // The state that came back from the OAuth provider is not the one that was sent.
	IDPOauthMissingAccessGrant                            Code = "IDP_OAUTH_MISSING_ACCESS_GRANT"                                // The OAuth provider sent the user back without a code.
	IDPOauthMissingAccessToken                            Code = "IDP_OAUTH_MISSING_ACCESS_TOKEN"                                // The OAuth provider gave no access token for its code.
	IDPOauthMissingUserInfo                               Code = "IDP_OAUTH_MISSING_USER_INFO"                                   // The OAuth provider gave no usable user profile.
	FIDORequest                                           Code = "FIDO_REQUEST"                                                  // A FIDO UAF request was asked for and handled, well or badly.
	FIDOResponse                                          Code = "FIDO_RESPONSE"                                                 // A FIDO UAF response was sent in and handled, well or badly.
	FIDOTrustedFacetsRequest                              Code = "FIDO_TRUSTED_FACETS_REQUEST"                                   // The list of trusted facets was asked for.
	FIDOBadRequest                                        Code = "FIDO_BAD_REQUEST"                                              // A FIDO call could not be read.
	FIDOConnectionError                                   Code = "FIDO_CONNECTION_ERROR"                                         // There was no connection to the FIDO server.
	FIDOMissingUsername                                   Code = "FIDO_MISSING_USERNAME"                                         // The user name is absent from what the FIDO server sent or received.
	FIDODisabled                                          Code = "FIDO_DISABLED"                                                 // FIDO is switched off.
	FIDORegistrationRequestSuccess                        Code = "FIDO_REGISTRATION_REQUEST_SUCCESS"                             // A UAF registration request was created.
	FIDORegistrationRequestFailure                        Code = "FIDO_REGISTRATION_REQUEST_FAILURE"                             // A UAF registration request could not be created.
	FIDOAuthenticationRequestSuccess                      Code = "FIDO_AUTHENTICATION_REQUEST_SUCCESS"                           // A UAF authentication request was created.
	FIDOAuthenticationRequestFailure                      Code = "FIDO_AUTHENTICATION_REQUEST_FAILURE"                           // A UAF authentication request could not be created.
	FIDODeregistrationRequestSuccess                      Code = "FIDO_DEREGISTRATION_REQUEST_SUCCESS"                           // A UAF deregistration request was created and carried out.
	FIDODeregistrationRequestFailure                      Code = "FIDO_DEREGISTRATION_REQUEST_FAILURE"                           // A UAF deregistration request could not be carried out.
	FIDOResponseAccessTokenNotFound                       Code = "FIDO_RESPONSE_ACCESS_TOKEN_NOT_FOUND"                          // The FIDO answer was good but the user has no ordinary access token to build on.
	FIDOAuthenticationResponseSuccess                     Code = "FIDO_AUTHENTICATION_RESPONSE_SUCCESS"                          // A FIDO authentication verified.
	FIDOAuthenticationResponseFailure                     Code = "FIDO_AUTHENTICATION_RESPONSE_FAILURE"                          // A FIDO authentication did not verify.
	FIDORegistrationResponseSuccess                       Code = "FIDO_REGISTRATION_RESPONSE_SUCCESS"                            // A FIDO registration verified.
	FIDORegistrationResponseFailure                       Code = "FIDO_REGISTRATION_RESPONSE_FAILURE"                            // A FIDO registration did not verify.
	FIDOTrustedFacetsRequestSuccess                       Code = "FIDO_TRUSTED_FACETS_REQUEST_SUCCESS"                           // The list of trusted facets was returned.
	FIDOTrustedFacetsRequestFailure                       Code = "FIDO_TRUSTED_FACETS_REQUEST_FAILURE"                           // The list of trusted facets could not be returned.
	FIDOUserAuthenticatorRegistered                       Code = "FIDO_USER_AUTHENTICATOR_REGISTERED"                            // A FIDO authenticator was linked to the user.
	FIDOUserAuthenticatorRegistrationFailed               Code = "FIDO_USER_AUTHENTICATOR_REGISTRATION_FAILED"                   // A verified FIDO authenticator could not be linked because the profile or the mapping is missing.
	FIDOUserAuthenticatorAlreadyRegistered                Code = "FIDO_USER_AUTHENTICATOR_ALREADY_REGISTERED"                    // The user already has this FIDO authenticator.
	FIDOUserAuthenticatorDeregistered                     Code = "FIDO_USER_AUTHENTICATOR_DEREGISTERED"                          // A FIDO authenticator was unlinked from the user.
	FIDOUserAuthenticatorDeregistrationFailed             Code = "FIDO_USER_AUTHENTICATOR_DEREGISTRATION_FAILED"                 // A FIDO authenticator could not be unlinked because the profile or the mapping is missing.
	FIDOUserAuthenticatorNotRegisteredToDeregister        Code = "FIDO_USER_AUTHENTICATOR_NOT_REGISTERED_TO_DEREGISTER"          // The user does not have the FIDO authenticator that should be unlinked.
	FIDOUserAuthenticatorNotRegisteredToAuthenticate      Code = "FIDO_USER_AUTHENTICATOR_NOT_REGISTERED_TO_AUTHENTICATE"        // The user does not have the FIDO authenticator that should be used.
	FIDOAuthenticatorNotEnabled                           Code = "FIDO_AUTHENTICATOR_NOT_ENABLED"                                // The application does not allow this FIDO authenticator.
	CustomAuthenticatorBadRequest                         Code = "CUSTOM_AUTHENTICATOR_BAD_REQUEST"                              // A custom-authenticator call could not be read.
	CustomAuthenticatorDisabled                           Code = "CUSTOM_AUTHENTICATOR_DISABLED"                                 // Custom authenticators are switched off.
	CustomAuthenticatorInvalidClient                      Code = "CUSTOM_AUTHENTICATOR_INVALID_CLIENT"                           // The calling client may not use custom authenticators.
	CustomAuthenticatorConnectionError                    Code = "CUSTOM_AUTHENTICATOR_CONNECTION_ERROR"                         // The extension engine that runs the scripts could not be reached.
	CustomAuthenticatorRegistrationSuccess                Code = "CUSTOM_AUTHENTICATOR_REGISTRATION_SUCCESS"                     // A custom authenticator was registered for a user.
	CustomAuthenticatorRegistrationFailure                Code = "CUSTOM_AUTHENTICATOR_REGISTRATION_FAILURE"                     // A custom authenticator could not be registered.
	CustomAuthenticatorRegistrationInvalidAccessToken     Code = "CUSTOM_AUTHENTICATOR_REGISTRATION_INVALID_ACCESS_TOKEN"        // A custom authenticator was to be registered without a usable access token.
	CustomAuthenticatorAuthenticationSuccess              Code = "CUSTOM_AUTHENTICATOR_AUTHENTICATION_SUCCESS"                   // The user authenticated with a custom authenticator.
	CustomAuthenticatorAuthenticationFailure              Code = "CUSTOM_AUTHENTICATOR_AUTHENTICATION_FAILURE"                   // The user did not pass a custom authenticator.
	CustomAuthenticatorDeregistrationSuccess              Code = "CUSTOM_AUTHENTICATOR_DEREGISTRATION_SUCCESS"                   // A custom authenticator was removed from a user.
	CustomAuthenticatorDeregistrationInvalidAccessToken   Code = "CUSTOM_AUTHENTICATOR_DEREGISTRATION_INVALID_ACCESS_TOKEN"      // A custom authenticator was to be removed without a usable access token.
	CustomAuthenticatorResponseInvalid                    Code = "CUSTOM_AUTHENTICATOR_RESPONSE_INVALID"                         // The script answered with a status the server does not know.
	CustomAuthenticatorUserAlreadyRegistered              Code = "CUSTOM_AUTHENTICATOR_USER_ALREADY_REGISTERED"                  // The user already has this custom authenticator.
	CustomAuthenticatorUserNotRegistered                  Code = "CUSTOM_AUTHENTICATOR_USER_NOT_REGISTERED"                      // The user does not have this custom authenticator.
	CustomAuthenticatorUnknownUser                        Code = "CUSTOM_AUTHENTICATOR_UNKNOWN_USER"                             // The call names a user or profile that the server does not know.
	CustomAuthenticatorInternalServerError                Code = "CUSTOM_AUTHENTICATOR_INTERNAL_SERVER_ERROR"                    // After a good custom authentication the server could not make the access token.
	AuthnRequestLoginRequired                             Code = "AUTHN_REQUEST_LOGIN_REQUIRED"                                  // Silent authentication was asked for but the user is not signed in.
	AuthnRequestInteractionRequired                       Code = "AUTHN_REQUEST_INTERACTION_REQUIRED"                            // Silent authentication was asked for but the user has to do something first.
	AuthnRequestConsentRequired                           Code = "AUTHN_REQUEST_CONSENT_REQUIRED"                                // Silent authentication was asked for but consent is open.
	JWTKeysRotated                                        Code = "JWT_KEYS_ROTATED"                                              // The keys for signing JWTs were replaced.
	OpenidSessionLogoutSuccess                            Code = "OPENID_SESSION_LOGOUT_SUCCESS"                                 // A browser session was ended for all clients by a logout.
	OpenidSessionLogoutTokensDeleted                      Code = "OPENID_SESSION_LOGOUT_TOKENS_DELETED"                          // Tokens that clients got in an ended browser session were removed.
	OpenidSessionLogoutConfirmPageShown                   Code = "OPENID_SESSION_LOGOUT_CONFIRM_PAGE_SHOWN"                      // The user was asked whether to log out.
	OpenidSessionLogoutFailureRejected                    Code = "OPENID_SESSION_LOGOUT_FAILURE_REJECTED"                        // The user said no to a logout.
	OpenidSessionLogoutFailure                            Code = "OPENID_SESSION_LOGOUT_FAILURE"                                 // A logout request is malformed, names an unknown client or an address that is not registered, or meets no session.
	OpenidBackchannelLogoutSent                           Code = "OPENID_BACKCHANNEL_LOGOUT_SENT"                                // A client was told through the back channel that a browser session has ended.
	OpenidBackchannelLogoutFailed                         Code = "OPENID_BACKCHANNEL_LOGOUT_FAILED"                              // A client could not be told through the back channel that a browser session has ended.
	CSRFInvalid                                           Code = "CSRF_INVALID"                                                  // A form of a page besides sign-in, consent and SMS step-up carried an anti-forgery token that is unknown, too old or used.
	SessionTerminationUserSessionTerminated               Code = "SESSION_TERMINATION_USER_SESSION_TERMINATED"                   // One browser session of a user was ended by something else than a logout.
	JWTKeysAlgorithmUpdated                               Code = "JWT_KEYS_ALGORITHM_UPDATED"                                    // The algorithm for signing JWTs was changed, with new keys.
	WebHookCustomizeAccessTokenFailed                     Code = "WEB_HOOK_CUSTOMIZE_ACCESS_TOKEN_FAILED"                        // A web hook that may change an access token gave no usable answer.
	WebHookCustomizeUserDetailsFailed                     Code = "WEB_HOOK_CUSTOMIZE_USER_DETAILS_FAILED"                        // A web hook that may change what is said about a person gave no usable answer.
	ConsentDenied                                         Code = "CONSENT_DENIED"                                                // The user refused the scopes that a client asked for.
	AccountSignInSuccess                                  Code = "ACCOUNT_SIGN_IN_SUCCESS"                                       // A user proved a built-in account with user name and password.
	AccountSignInFailed                                   Code = "ACCOUNT_SIGN_IN_FAILED"                                        // A user name and password did not match an active built-in account.
	AccountSignInThrottled                                Code = "ACCOUNT_SIGN_IN_THROTTLED"                                     // A sign-in was refused without checking the password, because too many attempts failed before.
	AccountSignInCSRFInvalid                              Code = "ACCOUNT_SIGN_IN_CSRF_INVALID"                                  // A submitted sign-in form carried an anti-forgery token that is unknown, too old or bound to another request.
	IDPUserRefused                                        Code = "IDP_USER_REFUSED"                                              // An identity provider named a user who may not sign in here: an unusable or foreign user id, or a disabled person.
	IDPSamlLoginFailed                                    Code = "IDP_SAML_LOGIN_FAILED"                                         // A SAML identity provider did not sign the user in, or its response could not be believed.
	IDPSamlLoginMappedUserIDNotFound                      Code = "IDP_SAML_LOGIN_MAPPED_USER_ID_NOT_FOUND"                       // A SAML response lacks the attribute that is mapped to the user id.
	IDPSamlLoginUserIDNotFound                            Code = "IDP_SAML_LOGIN_USER_ID_NOT_FOUND"                              // A SAML response names no user.
	IDPSamlLoginTransactionIDMissing                      Code = "IDP_SAML_LOGIN_TRANSACTION_ID_MISSING"                         // A SAML response came without a sign-in, or from another browser than the one that began it.
	IDPSamlLoginTransactionNotFound                       Code = "IDP_SAML_LOGIN_TRANSACTION_NOT_FOUND"                          // A SAML response came after its sign-in had ended.
	IDPSamlLoginReplayDetected                            Code = "IDP_SAML_LOGIN_REPLAY_DETECTED"                                // A SAML response came in twice.
	IDPSamlLoginMissingSamlSigningCredentials             Code = "IDP_SAML_LOGIN_MISSING_SAML_SIGNING_CREDENTIALS"               // A SAML sign-in could not begin, because the server has no key to sign its request.
	CustomRegistrationInitSuccess                         Code = "CUSTOM_REGISTRATION_INIT_SUCCESS"                              // The first step of a registration by API was accepted.
	CustomRegistrationInitFailure                         Code = "CUSTOM_REGISTRATION_INIT_FAILURE"                              // The first step of a registration by API was refused by the service that decides about it.
	CustomRegistrationCompleteFailure                     Code = "CUSTOM_REGISTRATION_COMPLETE_FAILURE"                          // The last step of a registration by API was refused by the service that decides about it.
	StatelessCustomRegistrationCompleteFailure            Code = "STATELESS_CUSTOM_REGISTRATION_COMPLETE_FAILURE"                // The last step of a stateless registration by API was refused by the service that decides about it.
	CustomRegistrationScriptError                         Code = "CUSTOM_REGISTRATION_SCRIPT_ERROR"                              // The service that decides about registrations by API could not be reached or gave no usable answer.
	CustomRegistrationBackchannelSuccess                  Code = "CUSTOM_REGISTRATION_BACKCHANNEL_SUCCESS"                       // A back end prepared a registration by API.
	CustomRegistrationBackchannelFailure                  Code = "CUSTOM_REGISTRATION_BACKCHANNEL_FAILURE"                       // A back end could not prepare a registration by API.
	IDPOauthDiscoveryFailed                               Code = "IDP_OAUTH_DISCOVERY_FAILED"                                    // The endpoints of an OpenID provider could not be learned, so that nobody could be sent there.
	IDPOauthOidcFailedToInitiateEndSession                Code = "IDP_OAUTH_OIDC_FAILED_TO_INITIATE_END_SESSION"                 // A logout could not be passed on to the OpenID provider that the session came from.
	IDPHeaderUserMissing                                  Code = "IDP_HEADER_USER_MISSING"                                       // The trusted reverse proxy named no user, or the request did not come through it.
	IDPSamlSingleLogoutInitiated                          Code = "IDP_SAML_SINGLE_LOGOUT_INITIATED"                              // A logout went on to the SAML identity provider of the session.
	IDPSamlSingleLogoutInitiationSkipped                  Code = "IDP_SAML_SINGLE_LOGOUT_INITIATION_SKIPPED"                     // A logout did not go on to the SAML identity provider of the session, because something was missing for it.
	IDPSamlSingleLogoutSuccess                            Code = "IDP_SAML_SINGLE_LOGOUT_SUCCESS"                                // A SAML single logout ended the login of a user, here or at the identity provider.
	IDPSamlSingleLogoutNotSuccessful                      Code = "IDP_SAML_SINGLE_LOGOUT_NOT_SUCCESSFUL"                         // A SAML single logout did not complete: the message could not be believed, or the identity provider said no.
	IDPSamlSingleLogoutUserNotFound                       Code = "IDP_SAML_SINGLE_LOGOUT_USER_NOT_FOUND"                         // A SAML identity provider asked for the logout of somebody who has no session from there.
	MobileClientDeviceNameUpdated                         Code = "MOBILE_CLIENT_DEVICE_NAME_UPDATED"                             // An app installation changed the name under which the user sees it.
	MobileClientDeviceNameRefused                         Code = "MOBILE_CLIENT_DEVICE_NAME_REFUSED"                             // The name that an app installation gave itself could not be read from the request.
	RateLimitExceeded                                     Code = "RATE_LIMIT_EXCEEDED"                                           // Requests were refused because a budget was used up; written once a minute for each client address or user with the number of refusals.
	SettingsApplied                                       Code = "SETTINGS_APPLIED"                                              // A settings document was validated as a whole and applied.
	APIEventsListed                                       Code = "API_EVENTS_LISTED"                                             // A page of the audit log was handed out over the events API.
	DeviceAuthzRequestDeviceCodeCreated                   Code = "DEVICE_AUTHZ_REQUEST_DEVICE_CODE_CREATED"                      // A device login was started.
	DeviceAuthzRequestInvalid                             Code = "DEVICE_AUTHZ_REQUEST_INVALID"                                  // The device-authorization request lacks something or is malformed.
	DeviceAuthzRequestInvalidClient                       Code = "DEVICE_AUTHZ_REQUEST_INVALID_CLIENT"                           // The device-authorization request names no usable client.
	DeviceAuthzRequestScopeInvalid                        Code = "DEVICE_AUTHZ_REQUEST_SCOPE_INVALID"                            // The device-authorization request asks for a scope the client lacks.
	DeviceAuthzUserCodeInvalid                            Code = "DEVICE_AUTHZ_USER_CODE_INVALID"                                // Somebody entered a user code that no device login has.
	DeviceAuthzApprovalRefused                            Code = "DEVICE_AUTHZ_APPROVAL_REFUSED"                                 // An app tried to approve a device login and was refused.
	AuthzRequestDeviceGrantCreated                        Code = "AUTHZ_REQUEST_DEVICE_GRANT_CREATED"                            // The user approved a device login.
	AppToWebSsoTokenCreated                               Code = "APP_TO_WEB_SSO_TOKEN_CREATED"                                  // A token to carry the app login to the web was made.
	AppToWebSsoDisabled                                   Code = "APP_TO_WEB_SSO_DISABLED"                                       // App-to-web is switched off for the application.
	AppToWebSsoInvalidIDPType                             Code = "APP_TO_WEB_SSO_INVALID_IDP_TYPE"                               // The identity provider of the user cannot do app-to-web.
	AppToWebSsoAppToWebSsoTargetURLNotConfigured          Code = "APP_TO_WEB_SSO_APP_TO_WEB_SSO_TARGET_URL_NOT_CONFIGURED"       // The target address of an app-to-web request is not on the list of the application.
	AppToWebSsoSignedIn                                   Code = "APP_TO_WEB_SSO_SIGNED_IN"                                      // A browser was signed in with the token of an app.
	AppToWebSsoFailed                                     Code = "APP_TO_WEB_SSO_FAILED"                                         // App-to-web failed; the cause is in the details.
)

// catalogue describes every code, in the order of catalogue.txt.
var catalogue = [...]Entry{
	{Code: ConsentGiven, Kind: Core, Area: "consent", Outcome: Success, Description: "The user approved the scopes a client asked for."},
	{Code: ConsentCSRFInvalid, Kind: Core, Area: "consent", Outcome: Failure, Description: "A submitted consent form carried an anti-forgery token that is unknown, too old or bound to another request."},
	{Code: APIAuthenticationFailed, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "A caller of the end-user API did not present a valid API user name and password."},
	{Code: APIConsentListed, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "The consents of one user were handed out over the end-user API."},
	{Code: APIConsentNoDataFound, Kind: Core, Area: "end-user-api", Outcome: Info, Description: "The end-user API holds no consent for the requested user."},
	{Code: APIConsentRemoved, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "One client's complete consent was withdrawn for a user over the end-user API."},
	{Code: APIConsentNotRemovedNotFound, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "The consent that should be withdrawn does not exist."},
	{Code: APIConsentNotRemovedForbidden, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "A consent was to be withdrawn under the wrong user."},
	{Code: APITokensListed, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "The live access tokens of one user were handed out over the end-user API."},
	{Code: APITokensNoDataFound, Kind: Core, Area: "end-user-api", Outcome: Info, Description: "The end-user API knows no usable access token for the requested user."},
	{Code: APITokenRemoved, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "One access token of a user was deleted over the end-user API."},
	{Code: APITokenNotRemovedNotFound, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "The access token to delete does not exist."},
	{Code: APITokenNotRemovedForbidden, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "An access token was to be deleted under a user who does not own it."},
	{Code: APINotificationSettingNotFound, Kind: Core, Area: "end-user-api", Outcome: Info, Description: "There is no user to whom the requested notification preference could belong."},
	{Code: APINotificationSettingFound, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "A user's notification channel, own or default, was returned."},
	{Code: APINotificationSettingRemoved, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "A user's own notification choice was dropped so that the default applies again."},
	{Code: APINotificationSettingSet, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "A user's notification channel was stored."},
	{Code: APINotificationSettingSetFailed, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "A notification channel was refused because its value is not one of the two known ones."},
	{Code: APIDevicesListed, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "The devices a user registered were returned."},
	{Code: APIDevicesNoDataFound, Kind: Core, Area: "end-user-api", Outcome: Info, Description: "No device is registered for the requested user."},
	{Code: APIDeviceRemoved, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "A device was removed completely for its last or only user."},
	{Code: APIDeviceRemovedForOneProfile, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "Only the data of one user profile was cleared from a device shared by several users."},
	{Code: APIDeviceNotRemovedForbidden, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "A device was to be removed under a user who is not registered on it."},
	{Code: APIFingerPrintNotDisabledClientNotFound, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "Fingerprint could not be switched off because the device id is unknown."},
	{Code: APIFingerPrintNotDisabledForbidden, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "Fingerprint could not be switched off because the device is not one of this user's."},
	{Code: APIFingerPrintDisabled, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "The fingerprint tokens of a user on one device were revoked."},
	{Code: APIAppListed, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "The applications a user gave access to were returned."},
	{Code: APIAppNoDataFound, Kind: Core, Area: "end-user-api", Outcome: Info, Description: "No application has access on behalf of the requested user."},
	{Code: APIAppRemoved, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "All access of one application was withdrawn for a user."},
	{Code: APIAuthenticationAppsListed, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "The app instances that can answer mobile authentication for a user were returned."},
	{Code: APIAuthenticationAppNotFound, Kind: Core, Area: "end-user-api", Outcome: Info, Description: "No app instance is enrolled for mobile authentication for the requested user."},
	{Code: APIAuthenticationAppRemoved, Kind: Core, Area: "end-user-api", Outcome: Success, Description: "Mobile authentication was taken away from one app instance of a user."},
	{Code: APIAuthenticationAppNotRemovedNotFound, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "Mobile authentication could not be taken away because the app instance does not exist."},
	{Code: APIAuthenticationAppNotRemovedForbidden, Kind: Core, Area: "end-user-api", Outcome: Failure, Description: "Mobile authentication could not be taken away because the app instance is someone else's."},
	{Code: APIPayloadEncryptionApplicationDisabled, Kind: Core, Area: "payload-encryption", Outcome: Failure, Description: "The security proxy asked for the encryption policy of an app version that is switched off."},
	{Code: APIPayloadEncryptionPolicyNotFound, Kind: Core, Area: "payload-encryption", Outcome: Failure, Description: "No encryption policy exists for what the security proxy asked for."},
	{Code: APIPayloadEncryptionInvalidParameters, Kind: Core, Area: "payload-encryption", Outcome: Failure, Description: "The policy lookup of the security proxy was incomplete or malformed."},
	{Code: APIPayloadEncryptionPolicyFound, Kind: Core, Area: "payload-encryption", Outcome: Success, Description: "The security proxy received an encryption policy."},
	{Code: APIPayloadEncryptionInvalidAccessToken, Kind: Core, Area: "payload-encryption", Outcome: Failure, Description: "The access token given for the policy lookup is unknown, expired or revoked."},
	{Code: APIVersionNotAllowed, Kind: Core, Area: "api-access", Outcome: Failure, Description: "The caller used an endpoint version that is not open to its client or SDK generation."},
	{Code: ExternalScopeCheckFailed, Kind: Core, Area: "authorization", Outcome: Failure, Description: "The external scope verification service could not give a usable verdict."},
	{Code: ExternalNotificationFailed, Kind: Core, Area: "notification", Outcome: Failure, Description: "The external service that tells users about account events did not accept a notification."},
	{Code: AdminAuthenticationFailure, Kind: Core, Area: "admin", Outcome: Failure, Description: "Someone failed to sign in to the admin console."},
	{Code: AdminAuthenticationSuccess, Kind: Core, Area: "admin", Outcome: Success, Description: "An administrator signed in to the console."},
	{Code: AdminClientDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "An OAuth client was deleted in the admin console."},
	{Code: AdminClientUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "The settings of an OAuth client were changed in the admin console."},
	{Code: AdminStaticClientCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A web client was added in the admin console."},
	{Code: AdminAPIClientCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A client that may call the server APIs was added in the admin console."},
	{Code: AdminScopeDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "A scope was deleted in the admin console."},
	{Code: AdminScopeCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A scope was added in the admin console."},
	{Code: AdminScopeUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "A scope was changed in the admin console."},
	{Code: AdminMobileAppCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A mobile application was added in the admin console."},
	{Code: AdminMobileAppDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "A mobile application was deleted in the admin console."},
	{Code: AdminMobileAppUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "The settings of a mobile application were changed in the admin console."},
	{Code: AdminMobilePlatformCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A mobile operating system was added to the OS rules."},
	{Code: AdminMobilePlatformDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "The rules for a mobile operating system were deleted."},
	{Code: AdminMobilePlatformUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "The rules for a mobile operating system were changed."},
	{Code: AdminMobileConfigUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "The general mobile-authentication settings were changed."},
	{Code: AdminCorsConfigUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "The cross-origin settings were changed."},
	{Code: AdminMobilePlatformVersionCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "An app version for a platform was added."},
	{Code: AdminMobilePlatformVersionUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "An app version was changed."},
	{Code: AdminMobilePlatformVersionDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "An app version was deleted."},
	{Code: AdminAuthPropertiesSetCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A mobile authentication type was added."},
	{Code: AdminAuthPropertiesSetUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "A mobile authentication type was changed."},
	{Code: AdminAuthPropertiesSetDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "A mobile authentication type was deleted."},
	{Code: AdminCallbackConfigCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A callback address for authentication results was added."},
	{Code: AdminCallbackConfigUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "A callback address was changed."},
	{Code: AdminCallbackConfigDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "A callback address was deleted."},
	{Code: AdminPushMessagingConfigCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "Credentials for a push service were added."},
	{Code: AdminPushMessagingConfigUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "Credentials for a push service were changed."},
	{Code: AdminPushMessagingConfigDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "Credentials for a push service were deleted."},
	{Code: AdminIdentityProviderCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "An identity provider was added."},
	{Code: AdminIdentityProviderDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "An identity provider was deleted."},
	{Code: AdminIdentityProviderUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "An identity provider was changed."},
	{Code: AdminIdentityProviderAttributeMappingCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "An attribute mapping of an identity provider was added."},
	{Code: AdminIdentityProviderAttributeMappingDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "An attribute mapping of an identity provider was deleted."},
	{Code: AdminIdentityProviderAttributeMappingUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "An attribute mapping of an identity provider was changed."},
	{Code: AdminPINPolicyCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A set of PIN rules was added."},
	{Code: AdminPINPolicyUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "A set of PIN rules was changed."},
	{Code: AdminMessageCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A translated text was added."},
	{Code: AdminMessageDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "A translated text was deleted."},
	{Code: AdminMessageUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "A translated text was changed."},
	{Code: AdminUserRevoked, Kind: Core, Area: "admin", Outcome: Success, Description: "An administrator cut a user loose from a device."},
	{Code: AdminApplicationInstanceRevoked, Kind: Core, Area: "admin", Outcome: Success, Description: "An administrator took mobile authentication away from a user."},
	{Code: AdminApplicationInstanceNotRevokedNotFound, Kind: Core, Area: "admin", Outcome: Failure, Description: "An administrator tried to take mobile authentication away where there is none."},
	{Code: AdminApplicationInstanceNotRevokedIncorrectDevice, Kind: Core, Area: "admin", Outcome: Failure, Description: "An administrator tried to take mobile authentication away on another device than the enrolled one."},
	{Code: AdminTemplatesTemplateSetsCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A set of page templates was added."},
	{Code: AdminTemplatesTemplateSetsUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "A set of page templates was changed."},
	{Code: AdminTemplatesTemplateSetsDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "A set of page templates was deleted."},
	{Code: AdminFIDOConfigUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "The FIDO settings were changed."},
	{Code: AdminFIDOPolicyMappingCreated, Kind: Core, Area: "admin", Outcome: Success, Description: "A FIDO authenticator was tied to a policy."},
	{Code: AdminFIDOPolicyMappingUpdated, Kind: Core, Area: "admin", Outcome: Success, Description: "The tie between a FIDO authenticator and its policy was changed."},
	{Code: AdminFIDOPolicyMappingDeleted, Kind: Core, Area: "admin", Outcome: Success, Description: "The tie between a FIDO authenticator and its policy was deleted."},
	{Code: HelpdeskClientDeleteUnauthorized, Kind: Core, Area: "helpdesk", Outcome: Failure, Description: "A console user without the right to do so tried to delete an app installation."},
	{Code: HelpdeskApplicationInstanceNotRevokedForbidden, Kind: Core, Area: "helpdesk", Outcome: Failure, Description: "Older name: a console user without the right to do so tried to take mobile authentication away."},
	{Code: HelpdeskApplicationInstanceRevokeUnauthorized, Kind: Core, Area: "helpdesk", Outcome: Failure, Description: "A console user without the right to do so tried to take mobile authentication away."},
	{Code: ClientCredentialsCheckSuccess, Kind: Core, Area: "client-credentials", Outcome: Success, Description: "An app installation proved its freshly issued client credentials."},
	{Code: ClientCredentialsCheckSkipped, Kind: Core, Area: "client-credentials", Outcome: Info, Description: "The secret of an app installation was not looked at because its application runs in development mode."},
	{Code: ClientCredentialsCheckFailed, Kind: Core, Area: "client-credentials", Outcome: Failure, Description: "An app installation could not prove its client credentials."},
	{Code: ClientValidationInvalidHeader, Kind: Core, Area: "client-validation", Outcome: Failure, Description: "The start-up check of an app lacked an identification header or named an application that is not configured."},
	{Code: ClientValidationVersionDisabled, Kind: Core, Area: "client-validation", Outcome: Failure, Description: "The start-up check was refused because this app version is switched off."},
	{Code: ClientValidationUpgradeInitialized, Kind: Core, Area: "client-validation", Outcome: Info, Description: "The start-up check found a newer app version and began the upgrade of the client."},
	{Code: ClientValidationDebuggerDetected, Kind: Core, Area: "client-validation", Outcome: Failure, Description: "The app reported that a debugger is attached."},
	{Code: ClientValidationJailbreakDetected, Kind: Core, Area: "client-validation", Outcome: Failure, Description: "The app reported a jailbroken or rooted device."},
	{Code: ClientValidationAbuseDetected, Kind: Core, Area: "client-validation", Outcome: Failure, Description: "The app's signature does not match a known build, so the app may have been tampered with."},
	{Code: ClientValidationOSVersionInvalid, Kind: Core, Area: "client-validation", Outcome: Failure, Description: "The start-up check was refused because of the operating system version."},
	{Code: DynamicRegInvalidHeader, Kind: Core, Area: "dynamic-registration", Outcome: Failure, Description: "A registration attempt lacked an identification header or named an application that is not configured."},
	{Code: DynamicRegInvalidRequest, Kind: Core, Area: "dynamic-registration", Outcome: Failure, Description: "The second step of a registration came without its identifier or its challenge response."},
	{Code: DynamicRegSuccess, Kind: Core, Area: "dynamic-registration", Outcome: Success, Description: "An app installation was registered as a new dynamic client."},
	{Code: DynamicRegFailed, Kind: Core, Area: "dynamic-registration", Outcome: Failure, Description: "A registration was refused because the challenge was answered wrongly."},
	{Code: DynamicRegNewRegistrationsDisabled, Kind: Core, Area: "dynamic-registration", Outcome: Failure, Description: "This app version no longer accepts first-time registrations."},
	{Code: DynamicRegVersionDisabled, Kind: Core, Area: "dynamic-registration", Outcome: Failure, Description: "A registration was refused because this app version is switched off."},
	{Code: DynamicRegOSVersionInvalid, Kind: Core, Area: "dynamic-registration", Outcome: Failure, Description: "A registration was refused because of the operating system version."},
	{Code: DynamicUpSuccess, Kind: Core, Area: "dynamic-registration", Outcome: Success, Description: "An installation was moved to its new app version."},
	{Code: DynamicUpFailed, Kind: Core, Area: "dynamic-registration", Outcome: Failure, Description: "An installation could not be moved to its new app version."},
	{Code: AuthorizationLvlUnsupported, Kind: Core, Area: "authorization", Outcome: Failure, Description: "The authentication level handed over with the signed-in user is not a whole number."},
	{Code: AuthorizationFailedUnableToGenerateIDToken, Kind: Core, Area: "authorization", Outcome: Failure, Description: "No ID token could be produced for an OpenID Connect request."},
	{Code: AuthzRequestAuthenticationLvlInsufficient, Kind: Core, Area: "authorization", Outcome: Failure, Description: "The user is signed in at a lower level than a requested scope demands."},
	{Code: AuthzRequestInvalid, Kind: Core, Area: "authorization", Outcome: Failure, Description: "The authorization request lacks something it must have."},
	{Code: AuthzRequestRedirectUriInvalid, Kind: Core, Area: "authorization", Outcome: Failure, Description: "The redirect address of the authorization request is not one registered for the client."},
	{Code: AuthzRequestScopeInvalid, Kind: Core, Area: "authorization", Outcome: Failure, Description: "The client asked for a scope it is not allowed to ask for."},
	{Code: AuthzRequestNotAuthorizedForScope, Kind: Core, Area: "authorization", Outcome: Failure, Description: "The scope verification service says the user may not have a requested scope."},
	{Code: AuthzRequestGrantCreated, Kind: Core, Area: "authorization", Outcome: Success, Description: "An authorization code was issued to a client."},
	{Code: AuthzRequestTokenCreated, Kind: Core, Area: "authorization", Outcome: Success, Description: "An access token was issued straight from the authorization endpoint."},
	{Code: AuthzRequestInvalidResponseType, Kind: Core, Area: "authorization", Outcome: Failure, Description: "The response type is unknown or its grant is not enabled for the client."},
	{Code: TokenRequestInvalid, Kind: Core, Area: "token", Outcome: Failure, Description: "The token request lacks something it must have."},
	{Code: TokenRequestInvalidGrant, Kind: Core, Area: "token", Outcome: Failure, Description: "The authorization code is unknown, too old, already used or not this client's."},
	{Code: TokenRequestScopeInvalid, Kind: Core, Area: "token", Outcome: Failure, Description: "The token request asks for a scope the client does not have."},
	{Code: TokenRequestNotAuthorizedForScope, Kind: Core, Area: "token", Outcome: Failure, Description: "At token time the scope verification service says the user may not have a scope."},
	{Code: TokenRequestInvalidClientCredentials, Kind: Core, Area: "token", Outcome: Failure, Description: "A known client gave the wrong secret."},
	{Code: TokenRequestInvalidRefreshToken, Kind: Core, Area: "token", Outcome: Failure, Description: "The refresh token fits no stored token."},
	{Code: TokenRequestInvalidBearerToken, Kind: Core, Area: "token", Outcome: Failure, Description: "A resource server asked about an access token that the server does not know."},
	{Code: TokenRequestDisabledGrantType, Kind: Core, Area: "token", Outcome: Failure, Description: "The client is not set up for the grant type it uses."},
	{Code: TokenRequestUnsupportedGrantType, Kind: Core, Area: "token", Outcome: Failure, Description: "The grant type means nothing to the server."},
	{Code: TokenRequestInvalidClient, Kind: Core, Area: "token", Outcome: Failure, Description: "The token request names a client that does not exist."},
	{Code: TokenRequestAccessTokenCreated, Kind: Core, Area: "token", Outcome: Success, Description: "A code (or client credentials) was exchanged for an access token."},
	{Code: TokenRequestAccessTokenRefreshed, Kind: Core, Area: "token", Outcome: Success, Description: "A new access token was issued for a refresh token."},
	{Code: TokenRequestInvalidAccessToken, Kind: Core, Area: "token", Outcome: Failure, Description: "A resource server asked about an access token that is no longer live."},
	{Code: TokenRequestAccessTokenValidated, Kind: Core, Area: "token", Outcome: Success, Description: "A resource server learned that an access token is live."},
	{Code: TokenRequestFingerPrintInvalidClientCredentials, Kind: Core, Area: "token", Outcome: Failure, Description: "An app installation asked for a fingerprint refresh token with bad client credentials."},
	{Code: TokenRequestFingerPrintInvalidRefreshToken, Kind: Core, Area: "token", Outcome: Failure, Description: "Fingerprint could not be set up because the ordinary refresh token was not right."},
	{Code: TokenRequestFingerPrintTokenCreated, Kind: Core, Area: "token", Outcome: Success, Description: "A fingerprint refresh token was issued and the ordinary refresh token was renewed."},
	{Code: TokenRequestFingerPrintAccessTokenRefreshed, Kind: Core, Area: "token", Outcome: Success, Description: "A new access token was issued for a fingerprint refresh token."},
	{Code: TokenRequestFingerPrintRefreshTokenRetryCountExceeded, Kind: Core, Area: "token", Outcome: Failure, Description: "A wrong fingerprint refresh token made the server drop all fingerprint tokens of the client."},
	{Code: TokenRequestInvalidProfileID, Kind: Core, Area: "token", Outcome: Failure, Description: "The profile id sent by the app is malformed or taken by another user of the same installation."},
	{Code: TokenRevokeAccessTokenSuccess, Kind: Core, Area: "revocation", Outcome: Success, Description: "An access token was revoked on its own."},
	{Code: TokenRevokeAccessTokenInvalid, Kind: Core, Area: "revocation", Outcome: Failure, Description: "Revoking an access token came to nothing."},
	{Code: TokenRevokeRefreshTokenSuccess, Kind: Core, Area: "revocation", Outcome: Success, Description: "A refresh token was revoked together with the access tokens made from it."},
	{Code: TokenRevokeRefreshTokenInvalid, Kind: Core, Area: "revocation", Outcome: Failure, Description: "Revoking a refresh token came to nothing."},
	{Code: TokenRequestRefreshTokenRetryCountExceeded, Kind: Core, Area: "token", Outcome: Failure, Description: "Too many wrong refresh attempts killed the refresh token."},
	{Code: TokenRevokeClientInvalid, Kind: Core, Area: "revocation", Outcome: Failure, Description: "A revocation was refused because the caller could not identify itself as a client."},
	{Code: TokenRevokeTokenInvalid, Kind: Core, Area: "revocation", Outcome: Failure, Description: "A token without type hint matched nothing that could be revoked."},
	{Code: TokenRevokeClientTokensSuccess, Kind: Core, Area: "revocation", Outcome: Success, Description: "Every token of one client was revoked in a single call."},
	{Code: TokenRevokeProfileSuccess, Kind: Core, Area: "revocation", Outcome: Success, Description: "A profile on an installation was signed off with all its tokens."},
	{Code: TokenRevokeClientFingerPrintTokensSuccess, Kind: Core, Area: "revocation", Outcome: Success, Description: "Every fingerprint token of one client was revoked."},
	{Code: TokenRevokeProfileTokensSuccess, Kind: Core, Area: "revocation", Outcome: Success, Description: "Every token of one profile on one client was revoked, the profile itself stays."},
	{Code: TokenRevokeProfileFingerPrintTokensSuccess, Kind: Core, Area: "revocation", Outcome: Success, Description: "Every fingerprint token of one profile on one client was revoked."},
	{Code: EnrollmentFailureDisabled, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "Enrollment for mobile authentication is switched off."},
	{Code: EnrollmentInitialized, Kind: Core, Area: "enrollment", Outcome: Success, Description: "The first step of an enrollment succeeded."},
	{Code: EnrollmentInitFailureInvalidReq, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The first enrollment step had missing or wrong input."},
	{Code: EnrollmentInitFailureInvalidToken, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The first enrollment step came without a usable user access token."},
	{Code: EnrollmentInitFailureExistingPushToken, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The push token is already in use by another enrollment."},
	{Code: EnrollmentInitFailureUserEnrolled, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The user already has an enrollment and may not have a second one."},
	{Code: EnrollmentInitDropExistingAppInstance, Kind: Core, Area: "enrollment", Outcome: Info, Description: "An older app instance of the same user with the same push token was dropped, as after a reinstall."},
	{Code: EnrollmentKeyFetched, Kind: Core, Area: "enrollment", Outcome: Success, Description: "The app collected the server's public key for its enrollment."},
	{Code: EnrollmentKeyFailureInvalidID, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The key was asked for with an enrollment identifier that does not exist."},
	{Code: EnrollmentAckSuccess, Kind: Core, Area: "enrollment", Outcome: Success, Description: "The app confirmed and the enrollment is complete."},
	{Code: EnrollmentKeyFailureInvalidReq, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The key step had missing or wrong input."},
	{Code: EnrollmentAckFailureInvalidID, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The confirmation named an enrollment that does not exist."},
	{Code: EnrollmentUpdateSuccess, Kind: Core, Area: "enrollment", Outcome: Success, Description: "The push token of an enrolled app instance was replaced."},
	{Code: EnrollmentUpdateFailureInvalidReq, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The push token could not be replaced because the input was wrong or the old token did not match."},
	{Code: EnrollmentUpdateFailureInvalidToken, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The push token could not be replaced because the access token is not usable."},
	{Code: EnrollmentUpdateFailureUnsupportedPlatform, Kind: Core, Area: "enrollment", Outcome: Failure, Description: "The push token could not be replaced because the client's platform has no such operation."},
	{Code: OneTimePasswordAuthSucceeded, Kind: Core, Area: "one-time-password", Outcome: Success, Description: "A user proved an identity with a one-time password (the code from the QR)."},
	{Code: OneTimePasswordAuthFailed, Kind: Core, Area: "one-time-password", Outcome: Failure, Description: "A one-time password was not accepted."},
	{Code: OneTimePasswordGenerationFailedMissingUserID, Kind: Core, Area: "one-time-password", Outcome: Failure, Description: "No one-time password could be made because it was not said for whom."},
	{Code: APIAccessNotAllowedInvalidCredentials, Kind: Core, Area: "api-access", Outcome: Failure, Description: "A server API was called with bad API-client credentials."},
	{Code: APIAccessNotAllowedDisabledGrantType, Kind: Core, Area: "api-access", Outcome: Failure, Description: "A server API was called by a client that may not use client credentials."},
	{Code: APIAccessNotAllowedInvalidScopes, Kind: Core, Area: "api-access", Outcome: Failure, Description: "A server API was called by an API client that was not given that API."},
	{Code: APIAccessGranted, Kind: Core, Area: "api-access", Outcome: Success, Description: "An API client was let in to a server API."},
	{Code: PushAuthInitialized, Kind: Core, Area: "push", Outcome: Success, Description: "A push authentication was started and the message went out."},
	{Code: PushAuthInitFailure, Kind: Core, Area: "push", Outcome: Failure, Description: "The push service could not be reached or refused the message."},
	{Code: PushAuthInitFailureNoAppInstance, Kind: Core, Area: "push", Outcome: Failure, Description: "The user has no app instance to push to."},
	{Code: PushAuthInitFailureAuthMethodNotAvailable, Kind: Core, Area: "push", Outcome: Failure, Description: "The user cannot be authenticated with the method of the chosen type."},
	{Code: PushAuthInitFailureDisabled, Kind: Core, Area: "push", Outcome: Failure, Description: "Push authentication is switched off."},
	{Code: PushAuthInitFailureInvalidReq, Kind: Core, Area: "push", Outcome: Failure, Description: "The start of a push authentication had missing or wrong input."},
	{Code: AuthInitFailureInvalidAuthPropertiesName, Kind: Core, Area: "push", Outcome: Failure, Description: "The named mobile authentication type does not exist."},
	{Code: PushAuthInitFailureMessageTooLong, Kind: Core, Area: "push", Outcome: Failure, Description: "The message to show is longer than allowed."},
	{Code: PushAuthResendFailureResendLimitReached, Kind: Core, Area: "push", Outcome: Failure, Description: "The push message was not sent again because it was sent often enough."},
	{Code: PushAuthResendFailureNoAppInstance, Kind: Core, Area: "push", Outcome: Failure, Description: "The push message was not sent again because the user has no app instance any more."},
	{Code: PushAuthResendFailure, Kind: Core, Area: "push", Outcome: Failure, Description: "The push message was not sent again because the push service failed or refused."},
	{Code: PushAuthResendSuccess, Kind: Core, Area: "push", Outcome: Success, Description: "The push message was sent again."},
	{Code: PushAuthAuthenticated, Kind: Core, Area: "push", Outcome: Success, Description: "The user approved a push authentication and proved what the method demands."},
	{Code: PushAuthNotAuthenticated, Kind: Core, Area: "push", Outcome: Failure, Description: "The user turned a push authentication down."},
	{Code: PushAuthNotAuthenticatedInvalidTransaction, Kind: Core, Area: "push", Outcome: Failure, Description: "An answer named a transaction the server does not have."},
	{Code: PushAuthNotAuthenticatedInvalidToken, Kind: Core, Area: "push", Outcome: Failure, Description: "An answer carried a wrong authentication token."},
	{Code: PushAuthNotAuthenticatedTransactionExpired, Kind: Core, Area: "push", Outcome: Failure, Description: "An answer came after the transaction had run out."},
	{Code: PushAuthNotAuthenticatedInvalidEndpointVersion, Kind: Core, Area: "push", Outcome: Failure, Description: "An answer came in on an endpoint version that does not belong to its transaction."},
	{Code: PushAuthNotAuthenticatedFailedToDecryptMessage, Kind: Core, Area: "push", Outcome: Failure, Description: "An answer could not be decrypted."},
	{Code: PushAuthCallbackSent, Kind: Core, Area: "push", Outcome: Info, Description: "The party that started the authentication was told that a result is ready."},
	{Code: PushAuthCallbackFailed, Kind: Core, Area: "push", Outcome: Failure, Description: "The party that started the authentication could not be told about the result."},
	{Code: PushAuthValidationPINLimitExceeded, Kind: Core, Area: "push", Outcome: Failure, Description: "Too many wrong PINs in push answers cut the user off from the app instance."},
	{Code: PushAuthValidationFingerPrintLimitExceeded, Kind: Core, Area: "push", Outcome: Failure, Description: "A wrong fingerprint token in a push answer took fingerprint away from the user."},
	{Code: PushAuthTransactionRetrieved, Kind: Core, Area: "push", Outcome: Success, Description: "The result of a transaction was handed to the party that asked."},
	{Code: PushAuthTransactionNotRetrieved, Kind: Core, Area: "push", Outcome: Failure, Description: "The result of a transaction was asked for with an id that does not exist."},
	{Code: PushAuthNotAuthenticatedInvalidRefreshToken, Kind: Core, Area: "push", Outcome: Failure, Description: "An answer carried a refresh token that is not right, as with a wrong PIN."},
	{Code: SMSAuthInitFailurePhoneNumberInvalidOrMissing, Kind: Core, Area: "sms", Outcome: Failure, Description: "SMS authentication could not start because the phone number is absent or not a number."},
	{Code: SMSAuthInitFailureFailedToSendSMS, Kind: Core, Area: "sms", Outcome: Failure, Description: "SMS authentication could not start because the message could not be sent."},
	{Code: SMSAuthNotAuthenticatedInvalidVerificationCode, Kind: Core, Area: "sms", Outcome: Failure, Description: "A wrong SMS code was entered."},
	{Code: SMSAuthInitFailureDisabled, Kind: Core, Area: "sms", Outcome: Failure, Description: "SMS authentication is switched off."},
	{Code: SMSAuthInitMessageSent, Kind: Core, Area: "sms", Outcome: Success, Description: "An SMS with a code was sent."},
	{Code: PushAuthFetchSecuredMessageFetched, Kind: Core, Area: "push", Outcome: Success, Description: "The app fetched the encrypted message of a transaction."},
	{Code: PushAuthFetchFailedInvalidTransaction, Kind: Core, Area: "push", Outcome: Failure, Description: "The app asked for the message of a transaction that does not exist."},
	{Code: PushAuthFetchFailedTransactionAlreadyFetched, Kind: Core, Area: "push", Outcome: Failure, Description: "The message of a transaction was asked for a second time."},
	{Code: PushAuthFetchFailedTransactionExpired, Kind: Core, Area: "push", Outcome: Failure, Description: "The message of a transaction was asked for too late."},
	{Code: SMSAuthAuthenticated, Kind: Core, Area: "sms", Outcome: Success, Description: "The user proved to have received the SMS."},
	{Code: SMSAuthFailureInvalidTransaction, Kind: Core, Area: "sms", Outcome: Failure, Description: "A code was sent in for an SMS transaction that does not exist."},
	{Code: SMSAuthValidationLimitExceeded, Kind: Core, Area: "sms", Outcome: Failure, Description: "Too many wrong SMS codes closed the transaction."},
	{Code: SMSResendFailed, Kind: Core, Area: "sms", Outcome: Failure, Description: "The SMS was not sent again."},
	{Code: SMSResendSucceeded, Kind: Core, Area: "sms", Outcome: Success, Description: "The SMS was sent again."},
	{Code: UnableToDetermineIdentityProvider, Kind: Core, Area: "identity-provider", Outcome: Failure, Description: "No identity provider fits the authorization request."},
	{Code: MobileClientUpdatedPlatformVersion, Kind: Core, Area: "dynamic-registration", Outcome: Info, Description: "The stored app version of an installation was brought up to date."},
	{Code: SMSStepUpCSRFInvalid, Kind: Core, Area: "sms", Outcome: Failure, Description: "The step-up form for the SMS code carried a bad anti-forgery token."},
	{Code: SMSStepUpCodeInvalid, Kind: Core, Area: "sms", Outcome: Failure, Description: "A wrong code was entered on the SMS step-up page."},
	{Code: IDPOauthStateMismatch, Kind: Core, Area: "identity-provider", Outcome: Failure, Description: "The state that came back from the OAuth provider is not the one that was sent."},
	{Code: IDPOauthMissingAccessGrant, Kind: Core, Area: "identity-provider", Outcome: Failure, Description: "The OAuth provider sent the user back without a code."},
	{Code: IDPOauthMissingAccessToken, Kind: Core, Area: "identity-provider", Outcome: Failure, Description: "The OAuth provider gave no access token for its code."},
	{Code: IDPOauthMissingUserInfo, Kind: Core, Area: "identity-provider", Outcome: Failure, Description: "The OAuth provider gave no usable user profile."},
	{Code: FIDORequest, Kind: Core, Area: "fido", Outcome: Info, Description: "A FIDO UAF request was asked for and handled, well or badly."},
	{Code: FIDOResponse, Kind: Core, Area: "fido", Outcome: Info, Description: "A FIDO UAF response was sent in and handled, well or badly."},
	{Code: FIDOTrustedFacetsRequest, Kind: Core, Area: "fido", Outcome: Info, Description: "The list of trusted facets was asked for."},
	{Code: FIDOBadRequest, Kind: Core, Area: "fido", Outcome: Failure, Description: "A FIDO call could not be read."},
	{Code: FIDOConnectionError, Kind: Core, Area: "fido", Outcome: Failure, Description: "There was no connection to the FIDO server."},
	{Code: FIDOMissingUsername, Kind: Core, Area: "fido", Outcome: Failure, Description: "The user name is absent from what the FIDO server sent or received."},
	{Code: FIDODisabled, Kind: Core, Area: "fido", Outcome: Failure, Description: "FIDO is switched off."},
	{Code: FIDORegistrationRequestSuccess, Kind: Core, Area: "fido", Outcome: Success, Description: "A UAF registration request was created."},
	{Code: FIDORegistrationRequestFailure, Kind: Core, Area: "fido", Outcome: Failure, Description: "A UAF registration request could not be created."},
	{Code: FIDOAuthenticationRequestSuccess, Kind: Core, Area: "fido", Outcome: Success, Description: "A UAF authentication request was created."},
	{Code: FIDOAuthenticationRequestFailure, Kind: Core, Area: "fido", Outcome: Failure, Description: "A UAF authentication request could not be created."},
	{Code: FIDODeregistrationRequestSuccess, Kind: Core, Area: "fido", Outcome: Success, Description: "A UAF deregistration request was created and carried out."},
	{Code: FIDODeregistrationRequestFailure, Kind: Core, Area: "fido", Outcome: Failure, Description: "A UAF deregistration request could not be carried out."},
	{Code: FIDOResponseAccessTokenNotFound, Kind: Core, Area: "fido", Outcome: Failure, Description: "The FIDO answer was good but the user has no ordinary access token to build on."},
	{Code: FIDOAuthenticationResponseSuccess, Kind: Core, Area: "fido", Outcome: Success, Description: "A FIDO authentication verified."},
	{Code: FIDOAuthenticationResponseFailure, Kind: Core, Area: "fido", Outcome: Failure, Description: "A FIDO authentication did not verify."},
	{Code: FIDORegistrationResponseSuccess, Kind: Core, Area: "fido", Outcome: Success, Description: "A FIDO registration verified."},
	{Code: FIDORegistrationResponseFailure, Kind: Core, Area: "fido", Outcome: Failure, Description: "A FIDO registration did not verify."},
	{Code: FIDOTrustedFacetsRequestSuccess, Kind: Core, Area: "fido", Outcome: Success, Description: "The list of trusted facets was returned."},
	{Code: FIDOTrustedFacetsRequestFailure, Kind: Core, Area: "fido", Outcome: Failure, Description: "The list of trusted facets could not be returned."},
	{Code: FIDOUserAuthenticatorRegistered, Kind: Core, Area: "fido", Outcome: Success, Description: "A FIDO authenticator was linked to the user."},
	{Code: FIDOUserAuthenticatorRegistrationFailed, Kind: Core, Area: "fido", Outcome: Failure, Description: "A verified FIDO authenticator could not be linked because the profile or the mapping is missing."},
	{Code: FIDOUserAuthenticatorAlreadyRegistered, Kind: Core, Area: "fido", Outcome: Failure, Description: "The user already has this FIDO authenticator."},
	{Code: FIDOUserAuthenticatorDeregistered, Kind: Core, Area: "fido", Outcome: Success, Description: "A FIDO authenticator was unlinked from the user."},
	{Code: FIDOUserAuthenticatorDeregistrationFailed, Kind: Core, Area: "fido", Outcome: Failure, Description: "A FIDO authenticator could not be unlinked because the profile or the mapping is missing."},
	{Code: FIDOUserAuthenticatorNotRegisteredToDeregister, Kind: Core, Area: "fido", Outcome: Failure, Description: "The user does not have the FIDO authenticator that should be unlinked."},
	{Code: FIDOUserAuthenticatorNotRegisteredToAuthenticate, Kind: Core, Area: "fido", Outcome: Failure, Description: "The user does not have the FIDO authenticator that should be used."},
	{Code: FIDOAuthenticatorNotEnabled, Kind: Core, Area: "fido", Outcome: Failure, Description: "The application does not allow this FIDO authenticator."},
	{Code: CustomAuthenticatorBadRequest, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "A custom-authenticator call could not be read."},
	{Code: CustomAuthenticatorDisabled, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "Custom authenticators are switched off."},
	{Code: CustomAuthenticatorInvalidClient, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "The calling client may not use custom authenticators."},
	{Code: CustomAuthenticatorConnectionError, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "The extension engine that runs the scripts could not be reached."},
	{Code: CustomAuthenticatorRegistrationSuccess, Kind: Core, Area: "custom-authenticator", Outcome: Success, Description: "A custom authenticator was registered for a user."},
	{Code: CustomAuthenticatorRegistrationFailure, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "A custom authenticator could not be registered."},
	{Code: CustomAuthenticatorRegistrationInvalidAccessToken, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "A custom authenticator was to be registered without a usable access token."},
	{Code: CustomAuthenticatorAuthenticationSuccess, Kind: Core, Area: "custom-authenticator", Outcome: Success, Description: "The user authenticated with a custom authenticator."},
	{Code: CustomAuthenticatorAuthenticationFailure, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "The user did not pass a custom authenticator."},
	{Code: CustomAuthenticatorDeregistrationSuccess, Kind: Core, Area: "custom-authenticator", Outcome: Success, Description: "A custom authenticator was removed from a user."},
	{Code: CustomAuthenticatorDeregistrationInvalidAccessToken, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "A custom authenticator was to be removed without a usable access token."},
	{Code: CustomAuthenticatorResponseInvalid, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "The script answered with a status the server does not know."},
	{Code: CustomAuthenticatorUserAlreadyRegistered, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "The user already has this custom authenticator."},
	{Code: CustomAuthenticatorUserNotRegistered, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "The user does not have this custom authenticator."},
	{Code: CustomAuthenticatorUnknownUser, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "The call names a user or profile that the server does not know."},
	{Code: CustomAuthenticatorInternalServerError, Kind: Core, Area: "custom-authenticator", Outcome: Failure, Description: "After a good custom authentication the server could not make the access token."},
	{Code: AuthnRequestLoginRequired, Kind: Extension, Area: "authorization", Outcome: Failure, Description: "Silent authentication was asked for but the user is not signed in."},
	{Code: AuthnRequestInteractionRequired, Kind: Extension, Area: "authorization", Outcome: Failure, Description: "Silent authentication was asked for but the user has to do something first."},
	{Code: AuthnRequestConsentRequired, Kind: Extension, Area: "authorization", Outcome: Failure, Description: "Silent authentication was asked for but consent is open."},
	{Code: JWTKeysRotated, Kind: Extension, Area: "other", Outcome: Info, Description: "The keys for signing JWTs were replaced."},
	{Code: OpenidSessionLogoutSuccess, Kind: Extension, Area: "other", Outcome: Success, Description: "A browser session was ended for all clients by a logout."},
	{Code: OpenidSessionLogoutTokensDeleted, Kind: Extension, Area: "other", Outcome: Success, Description: "Tokens that clients got in an ended browser session were removed."},
	{Code: OpenidSessionLogoutConfirmPageShown, Kind: Extension, Area: "other", Outcome: Info, Description: "The user was asked whether to log out."},
	{Code: OpenidSessionLogoutFailureRejected, Kind: Extension, Area: "other", Outcome: Failure, Description: "The user said no to a logout."},
	{Code: OpenidSessionLogoutFailure, Kind: Extension, Area: "other", Outcome: Failure, Description: "A logout request is malformed, names an unknown client or an address that is not registered, or meets no session."},
	{Code: OpenidBackchannelLogoutSent, Kind: Extension, Area: "other", Outcome: Success, Description: "A client was told through the back channel that a browser session has ended."},
	{Code: OpenidBackchannelLogoutFailed, Kind: Extension, Area: "other", Outcome: Failure, Description: "A client could not be told through the back channel that a browser session has ended."},
	{Code: CSRFInvalid, Kind: Extension, Area: "other", Outcome: Failure, Description: "A form of a page besides sign-in, consent and SMS step-up carried an anti-forgery token that is unknown, too old or used."},
	{Code: SessionTerminationUserSessionTerminated, Kind: Extension, Area: "end-user-api", Outcome: Success, Description: "One browser session of a user was ended by something else than a logout."},
	{Code: JWTKeysAlgorithmUpdated, Kind: Extension, Area: "other", Outcome: Info, Description: "The algorithm for signing JWTs was changed, with new keys."},
	{Code: WebHookCustomizeAccessTokenFailed, Kind: Extension, Area: "other", Outcome: Failure, Description: "A web hook that may change an access token gave no usable answer."},
	{Code: WebHookCustomizeUserDetailsFailed, Kind: Extension, Area: "other", Outcome: Failure, Description: "A web hook that may change what is said about a person gave no usable answer."},
	{Code: ConsentDenied, Kind: Extension, Area: "consent", Outcome: Failure, Description: "The user refused the scopes that a client asked for."},
	{Code: AccountSignInSuccess, Kind: Extension, Area: "account", Outcome: Success, Description: "A user proved a built-in account with user name and password."},
	{Code: AccountSignInFailed, Kind: Extension, Area: "account", Outcome: Failure, Description: "A user name and password did not match an active built-in account."},
	{Code: AccountSignInThrottled, Kind: Extension, Area: "account", Outcome: Failure, Description: "A sign-in was refused without checking the password, because too many attempts failed before."},
	{Code: AccountSignInCSRFInvalid, Kind: Extension, Area: "account", Outcome: Failure, Description: "A submitted sign-in form carried an anti-forgery token that is unknown, too old or bound to another request."},
	{Code: IDPUserRefused, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "An identity provider named a user who may not sign in here: an unusable or foreign user id, or a disabled person."},
	{Code: IDPSamlLoginFailed, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML identity provider did not sign the user in, or its response could not be believed."},
	{Code: IDPSamlLoginMappedUserIDNotFound, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML response lacks the attribute that is mapped to the user id."},
	{Code: IDPSamlLoginUserIDNotFound, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML response names no user."},
	{Code: IDPSamlLoginTransactionIDMissing, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML response came without a sign-in, or from another browser than the one that began it."},
	{Code: IDPSamlLoginTransactionNotFound, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML response came after its sign-in had ended."},
	{Code: IDPSamlLoginReplayDetected, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML response came in twice."},
	{Code: IDPSamlLoginMissingSamlSigningCredentials, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML sign-in could not begin, because the server has no key to sign its request."},
	{Code: CustomRegistrationInitSuccess, Kind: Extension, Area: "identity-provider", Outcome: Success, Description: "The first step of a registration by API was accepted."},
	{Code: CustomRegistrationInitFailure, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "The first step of a registration by API was refused by the service that decides about it."},
	{Code: CustomRegistrationCompleteFailure, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "The last step of a registration by API was refused by the service that decides about it."},
	{Code: StatelessCustomRegistrationCompleteFailure, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "The last step of a stateless registration by API was refused by the service that decides about it."},
	{Code: CustomRegistrationScriptError, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "The service that decides about registrations by API could not be reached or gave no usable answer."},
	{Code: CustomRegistrationBackchannelSuccess, Kind: Extension, Area: "identity-provider", Outcome: Success, Description: "A back end prepared a registration by API."},
	{Code: CustomRegistrationBackchannelFailure, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A back end could not prepare a registration by API."},
	{Code: IDPOauthDiscoveryFailed, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "The endpoints of an OpenID provider could not be learned, so that nobody could be sent there."},
	{Code: IDPOauthOidcFailedToInitiateEndSession, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A logout could not be passed on to the OpenID provider that the session came from."},
	{Code: IDPHeaderUserMissing, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "The trusted reverse proxy named no user, or the request did not come through it."},
	{Code: IDPSamlSingleLogoutInitiated, Kind: Extension, Area: "identity-provider", Outcome: Info, Description: "A logout went on to the SAML identity provider of the session."},
	{Code: IDPSamlSingleLogoutInitiationSkipped, Kind: Extension, Area: "identity-provider", Outcome: Info, Description: "A logout did not go on to the SAML identity provider of the session, because something was missing for it."},
	{Code: IDPSamlSingleLogoutSuccess, Kind: Extension, Area: "identity-provider", Outcome: Success, Description: "A SAML single logout ended the login of a user, here or at the identity provider."},
	{Code: IDPSamlSingleLogoutNotSuccessful, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML single logout did not complete: the message could not be believed, or the identity provider said no."},
	{Code: IDPSamlSingleLogoutUserNotFound, Kind: Extension, Area: "identity-provider", Outcome: Failure, Description: "A SAML identity provider asked for the logout of somebody who has no session from there."},
	{Code: MobileClientDeviceNameUpdated, Kind: Extension, Area: "client-validation", Outcome: Success, Description: "An app installation changed the name under which the user sees it."},
	{Code: MobileClientDeviceNameRefused, Kind: Extension, Area: "client-validation", Outcome: Failure, Description: "The name that an app installation gave itself could not be read from the request."},
	{Code: RateLimitExceeded, Kind: Extension, Area: "server", Outcome: Info, Description: "Requests were refused because a budget was used up; written once a minute for each client address or user with the number of refusals."},
	{Code: SettingsApplied, Kind: Extension, Area: "server", Outcome: Success, Description: "A settings document was validated as a whole and applied."},
	{Code: APIEventsListed, Kind: Extension, Area: "end-user-api", Outcome: Success, Description: "A page of the audit log was handed out over the events API."},
	{Code: DeviceAuthzRequestDeviceCodeCreated, Kind: Extension, Area: "authorization", Outcome: Success, Description: "A device login was started."},
	{Code: DeviceAuthzRequestInvalid, Kind: Extension, Area: "authorization", Outcome: Failure, Description: "The device-authorization request lacks something or is malformed."},
	{Code: DeviceAuthzRequestInvalidClient, Kind: Extension, Area: "authorization", Outcome: Failure, Description: "The device-authorization request names no usable client."},
	{Code: DeviceAuthzRequestScopeInvalid, Kind: Extension, Area: "authorization", Outcome: Failure, Description: "The device-authorization request asks for a scope the client lacks."},
	{Code: DeviceAuthzUserCodeInvalid, Kind: Extension, Area: "authorization", Outcome: Failure, Description: "Somebody entered a user code that no device login has."},
	{Code: DeviceAuthzApprovalRefused, Kind: Extension, Area: "authorization", Outcome: Failure, Description: "An app tried to approve a device login and was refused."},
	{Code: AuthzRequestDeviceGrantCreated, Kind: Extension, Area: "authorization", Outcome: Success, Description: "The user approved a device login."},
	{Code: AppToWebSsoTokenCreated, Kind: Extension, Area: "other", Outcome: Success, Description: "A token to carry the app login to the web was made."},
	{Code: AppToWebSsoDisabled, Kind: Extension, Area: "other", Outcome: Failure, Description: "App-to-web is switched off for the application."},
	{Code: AppToWebSsoInvalidIDPType, Kind: Extension, Area: "other", Outcome: Failure, Description: "The identity provider of the user cannot do app-to-web."},
	{Code: AppToWebSsoAppToWebSsoTargetURLNotConfigured, Kind: Extension, Area: "other", Outcome: Failure, Description: "The target address of an app-to-web request is not on the list of the application."},
	{Code: AppToWebSsoSignedIn, Kind: Extension, Area: "other", Outcome: Success, Description: "A browser was signed in with the token of an app."},
	{Code: AppToWebSsoFailed, Kind: Extension, Area: "other", Outcome: Failure, Description: "App-to-web failed; the cause is in the details."},
}
