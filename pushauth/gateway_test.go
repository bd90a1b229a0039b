package pushauth

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sideshow/apns2"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenNote is the push of the reference's example.
func goldenNote() note {
	sent := time.UnixMilli(1767225580000).UTC()
	return note{
		Token: "dQ3wZ5aTRk:APA91b", TransactionID: "9d2f4c1a-3b7e-4f0d-8a56-1c2e3f4a5b6c", ProfileID: "QW4RTY",
		Message: "Approve sign-in to Harbour Portal? <é>", SentAt: sent, ExpiresAt: sent.Add(300 * time.Second),
		Badge: 2, Topic: "com.example.harbour", Title: "Harbour Bank",
	}
}

func golden(t *testing.T, name string, got any) {
	t.Helper()
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text.Bytes(), want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, text.Bytes(), want)
	}
}

func TestAPNsNotification(t *testing.T) {
	without := goldenNote()
	without.Badge = 0
	for name, n := range map[string]note{"apns.json": goldenNote(), "apns_no_badge.json": without} {
		push, err := n.notification()
		if err != nil {
			t.Fatal(err)
		}
		text, ok := push.Payload.([]byte)
		if !ok {
			t.Fatalf("payload is a %T", push.Payload)
		}
		if len(text) > 4096 {
			t.Errorf("%d bytes", len(text))
		}
		golden(t, name, json.RawMessage(text))
		push.Payload = nil
		want := apns2.Notification{
			DeviceToken: n.Token, Topic: "com.example.harbour", CollapseID: n.TransactionID, Expiration: n.ExpiresAt,
			Priority: 10, PushType: "alert",
		}
		if *push != want {
			t.Errorf("headers %+v, want %+v", *push, want)
		}
	}
}

func TestFCMMessage(t *testing.T) {
	hybrid := goldenNote()
	hybrid.Cordova = true
	for name, n := range map[string]note{"fcm.json": goldenNote(), "fcm_cordova.json": hybrid} {
		message, err := n.message()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, map[string]any{"message": message})
	}
}

// TestLongestMessageFits: the limits of both services hold for the longest message that the portal API lets through.
func TestLongestMessageFits(t *testing.T) {
	n := goldenNote()
	n.Message, n.Cordova = "", true
	for range DefaultLimits().Message {
		n.Message += "\U0001F600"
	}
	push, err := n.notification()
	if err != nil || len(push.Payload.([]byte)) > 4096 {
		t.Errorf("APNs: %d bytes, %v", len(push.Payload.([]byte)), err)
	}
	message, err := n.message()
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for key, value := range message.Data {
		size += len(key) + len(value)
	}
	if size > 4096 {
		t.Errorf("FCM: %d bytes", size)
	}
}
