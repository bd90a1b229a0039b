// Package standin holds small servers that speak the protocols of the outside world: Apple's push service, Google's push
// service with its OAuth token endpoint, an OpenID provider, and a portal that receives callbacks, SMS gateways, and an operator's
// service that decides about registrations. They are for tests and for
// the demo.
//
// A stand-in refuses what the vendor would refuse, with the vendor's own status, reason and body, so that a client that works
// against it has been held to the real rules. It listens on loopback, on a free port, and the product reaches it only because
// its configuration names the address. None of this is linked into request handling.
//
//	apns, err := standin.StartAPNs(time.Now)
//	key, err := apns.NewKey("TEAM123456", "KEY1234567")      // .p8 text for the configuration
//	apns.AddDevice(token, "com.example.harbour")
//	apns.FailNext(2, 503, "ServiceUnavailable")
//	pushes := apns.Subscribe()
//
// OpenID is told who signs in, and can be told to lie, for the tests of what we refuse. FCM is used alike; its NewServiceAccount makes the JSON file whose token_uri is the stand-in. PortalAPI is the other half of
// a portal: the calls it makes.
package standin
