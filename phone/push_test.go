package phone_test

import (
	"encoding/json"
	"testing"

	"tokenserver/phone"
)

const (
	apnsPayload = `{"aps":{"alert":{"body":"Approve sign-in?"},"sound":"default","badge":2},"og_transaction_id":"9d2f4c1a","og_profile_id":"QW4RTY","og_message":"Approve sign-in?","og_timestamp":1767225580000,"og_time_to_live":300}`
	fcmContent  = `{"og_transaction_id":"9d2f4c1a","og_message":"Approve sign-in?","og_profile_id":"QW4RTY","og_timestamp":1767225580000,"og_time_to_live":300}`
)

func fcmPayload(t *testing.T, wrap string) string {
	t.Helper()
	data, err := json.Marshal(map[string]string{"content": fcmContent, "title": "Harbour", "message": "Approve sign-in?", "content-available": "1"})
	if err != nil {
		t.Fatal(err)
	}
	switch wrap {
	case "data":
		return `{"data":` + string(data) + `}`
	case "message":
		return `{"message":{"token":"t","data":` + string(data) + `}}`
	}
	return `{"content":` + string(mustJSON(t, fcmContent)) + `}`
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParsePush(t *testing.T) {
	for name, payload := range map[string]string{
		"apns": apnsPayload, "fcm data": fcmPayload(t, "data"), "fcm message": fcmPayload(t, "message"), "fcm content": fcmPayload(t, ""),
	} {
		push, err := phone.ParsePush([]byte(payload))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (push.Badge != nil) != (name == "apns") {
			t.Errorf("%s: badge %v", name, push.Badge)
		}
		push.Badge = nil
		want := phone.Push{TransactionID: "9d2f4c1a", ProfileID: "QW4RTY", Message: "Approve sign-in?", Timestamp: 1767225580000, TimeToLive: 300}
		if *push != want {
			t.Errorf("%s: got %+v", name, *push)
		}
	}
	if push, err := phone.ParseFCM(map[string]string{"content": fcmContent}); err != nil || push.ProfileID != "QW4RTY" {
		t.Errorf("map: %+v, %v", push, err)
	}
	for _, bad := range []string{"", "{}", "[]", "nil", `{"content":"{"}`, `{"aps":{}}`, `{"og_transaction_id":7}`, `{"data":{"content":"{}"}}`} {
		if e := phone.Refused(second(phone.ParsePush([]byte(bad)))); e == nil || e.SDKNumber != phone.NumberNotHandleable {
			t.Errorf("%q: %v", bad, e)
		}
	}
}

// FuzzParsePush: no payload panics, and what parses names a transaction and prints back to the same push.
func FuzzParsePush(f *testing.F) {
	f.Add([]byte(apnsPayload))
	f.Add([]byte(`{"data":{"content":"{\"og_transaction_id\":\"a\"}"}}`))
	f.Add([]byte(`{"message":{"data":null}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		push, err := phone.ParsePush(payload)
		if err != nil {
			return
		}
		if push.TransactionID == "" {
			t.Fatal("no transaction")
		}
		push.Badge = nil
		again, err := phone.ParsePush(mustJSON(t, push))
		if err != nil || *again != *push {
			t.Fatalf("%+v became %+v, %v", push, again, err)
		}
	})
}
