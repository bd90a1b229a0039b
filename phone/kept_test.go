package phone_test

import (
	"path/filepath"
	"testing"

	"tokenserver/phone"
)

func TestKeptMessagesSurviveARestart(t *testing.T) {
	p, err := phone.New(phone.App{BaseURL: "https://ts.example/oauth"}, phone.Options{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	p.Keep(&phone.Message{TransactionID: "late", ProfileID: "QW4RTY", ExpiresAt: 20, Challenge: "first"})
	p.Keep(&phone.Message{TransactionID: "soon", ProfileID: "QW4RTY", ExpiresAt: 10, EnrollmentID: "e"})
	changed := p.Kept("late")
	changed.Challenge = "second"
	if again := p.Kept("late"); again.Challenge != "first" {
		t.Error("a copy reaches into the phone")
	}
	p.Keep(changed)

	file := filepath.Join(t.TempDir(), "phone.json")
	if err := p.Save(file); err != nil {
		t.Fatal(err)
	}
	if p, err = phone.Load(file, phone.Options{Now: testNow}); err != nil {
		t.Fatal(err)
	}
	all := p.AllKept()
	if len(all) != 2 || all[0].TransactionID != "soon" || all[1].Challenge != "second" || all[0].ProfileID != "QW4RTY" || all[0].EnrollmentID != "e" {
		t.Errorf("kept: %+v", all)
	}
	p.Drop("soon")
	if p.Kept("soon") != nil || p.Kept("late") == nil {
		t.Errorf("after a drop: %+v", p.AllKept())
	}
	p.Forget()
	if len(p.AllKept()) != 0 {
		t.Error("messages outlive the registration")
	}
}
