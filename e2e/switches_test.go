package e2e_test

import (
	"context"
	"testing"
	"time"
)

// spreadTime is how long the tests wait for something to reach every process. It should take two seconds at most.
const spreadTime = 15 * time.Second

// TestSwitches changes the settings of running processes: everything that is refused then was possible before.
func TestSwitches(t *testing.T) {
	t.Parallel()
	d := own(t, func(name string) (*deployment, error) { return startCluster(name, clusterOptions{}) })
	a := newActor(t, d)
	p, profile := a.signedIn(android(), "kim")
	enrolled, _ := a.enrolled(android(), "lou", d.world.androidDevice())

	d.apply(t, func(document object) {
		document["mobile_authentication"] = object{"enrollment_enabled": false, "push_authentication_enabled": false, "push_enrollment_mode": "SINGLE_DEVICE"}
	})
	a.soon("enrollment switched off", "ENROLLMENT_FAILURE_DISABLED", ending{403, "enrollment_disabled"}, func(ctx context.Context) error {
		_, err := p.BeginEnrollment(ctx, profile, d.world.androidDevice())
		return err
	})
	a.soon("push switched off", "API_ACCESS_GRANTED PUSH_AUTH_INIT_FAILURE_DISABLED", ending{404, "1000"}, func(ctx context.Context) error {
		_, err := a.portal().Init(ctx, a.initiation(enrolled, "lou", typePush))
		return err
	})

	d.apply(t, func(document object) {
		document["features"] = object{"mobile_authentication": false}
	})
	a.soon("mobile authentication switched off", "API_ACCESS_GRANTED PUSH_AUTH_INIT_FAILURE_DISABLED", ending{404, "1000"}, func(ctx context.Context) error {
		_, err := a.portal().Init(ctx, a.initiation(enrolled, "lou", typePush))
		return err
	})
	a.soon("enrollment with the feature off", "ENROLLMENT_FAILURE_DISABLED", ending{404, "disabled"}, func(ctx context.Context) error {
		_, err := p.BeginEnrollment(ctx, profile, d.world.androidDevice())
		return err
	})

	d.apply(t, func(document object) {
		document["mobile_authentication"] = object{"push_enrollment_mode": "SINGLE_DEVICE"}
	})
	second, other := a.signedIn(android(), "lou")
	a.soon("second device with one allowed", "ENROLLMENT_INIT_FAILURE_USER_ENROLLED", ending{409, "user_already_enrolled"}, func(ctx context.Context) error {
		_, err := second.BeginEnrollment(ctx, other, d.world.androidDevice())
		return err
	})

	d.apply(t, func(document object) {
		document["mobile_authentication"] = object{"push_enrollment_mode": "OVERRIDE_ALLOWED"}
	})
	a.soon("second device may begin", "ENROLLMENT_INITIALIZED", ending{201, ""}, func(ctx context.Context) error {
		_, err := second.BeginEnrollment(ctx, other, d.world.androidDevice())
		return err
	})
	a.step("second device replaces the first", "ENROLLMENT_INITIALIZED ENROLLMENT_KEY_FETCHED ENROLLMENT_INIT_DROP_EXISTING_APP_INSTANCE ENROLLMENT_ACK_SUCCESS",
		func(ctx context.Context) error { return second.Enroll(ctx, other, d.world.androidDevice()) })
	a.step("the first gets no push any more", "API_ACCESS_GRANTED PUSH_AUTH_INIT_FAILURE_NO_APP_INSTANCE", func(ctx context.Context) error {
		_, err := a.portal().Init(ctx, a.initiation(enrolled, "lou", typePush))
		return refusedAs(err, 404, "1001")
	})

	d.apply(t, func(document object) {
		document["applications"] = []object{disabledVersion(document["applications"].([]object))}
	})
	a.soon("version disabled", "CLIENT_VALIDATION_VERSION_DISABLED", ending{403, "version_disabled"}, func(ctx context.Context) error {
		_, err := p.Validate(ctx)
		return err
	})
	a.step("no tokens for a disabled version", "CLIENT_VALIDATION_VERSION_DISABLED", func(ctx context.Context) error {
		_, err := p.Refresh(ctx, profile, pin)
		if err == nil {
			t.Error("a disabled version got tokens")
		}
		return nil
	})
}

// disabledVersion is the first application with its first version disabled.
func disabledVersion(applications []object) object {
	applications[0]["versions"].([]object)[0]["status"] = "DISABLED"
	return applications[0]
}

// soon repeats a request until every process ends it as wanted, and compares the codes of the last one.
func (a *actor) soon(name, codes string, want ending, do func(ctx context.Context) error) {
	a.t.Helper()
	deadline, inARow := time.Now().Add(spreadTime), 0
	for {
		transaction := a.begin()
		got := a.ended(do(a.t.Context()))
		if got == want {
			inARow++
		} else {
			inARow = 0
		}
		if inARow == 2*len(a.d.servers) {
			a.d.log.want(a.t, name, transaction, codes)
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("%s: ended with %v, want %v", name, got, want)
		}
		time.Sleep(pollEvery)
	}
}
