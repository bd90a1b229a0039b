// Package phone is the reference client of the app-facing protocol: what a mobile SDK does, and nothing a phone could not do.
//
// It is written to be ported. A Swift or Kotlin developer finds each exchange in a file of its own, top to bottom in the
// order of the wire, and each cryptographic construction as one small function with a published vector beside it. The package
// imports nothing of the server; whatever it knows of it came over HTTP.
//
// # One life of an installation
//
//	p, err := phone.New(app, phone.Options{Now: time.Now})
//	err = p.Register(ctx, "Kim's Pixel")                               // registration.go: the copy becomes an OAuth client
//	_, err = p.Validate(ctx)                                           // validation.go: at each start of the app
//	_, err = p.SignIn(ctx, "QW4RTY", "48213", scopes, browser)         // signin.go: code with PKCE, PIN set, token masked
//	err = p.Enroll(ctx, "QW4RTY", pushToken)                           // enrollment.go: keys and push token
//	push, err := phone.ParsePush(payload)                              // push.go: what arrived through APNs or FCM
//	msg, err := p.Fetch(ctx, push.TransactionID, push.ProfileID)       // message.go: decrypted and verified
//	_, err = p.Accept(ctx, msg, "48213")                               // answer.go: signed, encrypted when it carries a token
//	_, err = p.Refresh(ctx, "QW4RTY", "48213")                         // token.go: unmask, rotate, mask the successor
//
// # What stands for what
//
//	client key, enrollment keys     Secure Enclave / StrongBox / TEE keys; here P-256 keys inside the state file
//	hardware secret                 non-exportable keystore entry that goes into the PIN mask; here 32 bytes in the state file
//	Browser                         ASWebAuthenticationSession / Custom Tabs; Person is a scripted user of real HTML pages
//	Save and Load                   app sandbox; the file holds keys in clear, so it is a test device, not a vault
//
// # Rules a port must keep
//
//   - The PIN never leaves the phone and is never stored. The refresh token is stored only under the PIN mask (pinmask.go), which
//     has no checksum on purpose: a wrong PIN gives another well-formed token, and only the server can tell.
//   - A new salt at every stored token: two tokens under one mask would leak their XOR.
//   - Always sign, then encrypt. Only ES256, only ECDH-ES with A256GCM, and each JWS has its own typ and audience.
//   - Proofs and answers may be repeated only byte by byte: a lost reply is repaired by sending the same bytes again.
//   - An error that says the installation, profile or enrollment is gone removes the local data; *Error carries the number
//     that app developers know (9000 and above).
package phone
