package phone

import (
	"encoding/json"
)

// Push is what a push message says. Nothing in it is secret or proven: it only tells the app what to fetch.
type Push struct {
	TransactionID string `json:"og_transaction_id"`
	ProfileID     string `json:"og_profile_id"`
	Message       string `json:"og_message"`
	Timestamp     int64  `json:"og_timestamp"`    // sent at, milliseconds since the epoch
	TimeToLive    int64  `json:"og_time_to_live"` // seconds left when sent
	Badge         *int   `json:"-"`               // iOS only
}

// ParsePush reads what the push service handed to the app: the payload of APNs (with aps and the og_ members beside it), the
// data of FCM (with the og_ members as text in content), or a whole FCM message around it.
// Error: *Error 10018, the payload is none of these or names no transaction.
func ParsePush(payload []byte) (*Push, error) {
	var outer struct {
		Push
		APS struct {
			Badge *int `json:"badge"`
		} `json:"aps"`
		Content string   `json:"content"`
		Data    *fcmData `json:"data"`
		Message *struct {
			Data *fcmData `json:"data"`
		} `json:"message"`
	}
	if json.Unmarshal(payload, &outer) != nil {
		return nil, notHandleable()
	}
	content := outer.Content
	if outer.Data != nil {
		content = outer.Data.Content
	}
	if outer.Message != nil && outer.Message.Data != nil {
		content = outer.Message.Data.Content
	}
	push := outer.Push
	push.Badge = outer.APS.Badge
	if content != "" {
		push = Push{}
		if json.Unmarshal([]byte(content), &push) != nil {
			return nil, notHandleable()
		}
	}
	if push.TransactionID == "" {
		return nil, notHandleable()
	}
	return &push, nil
}

// ParseFCM reads the data map of an FCM message as Android hands it to the app.
func ParseFCM(data map[string]string) (*Push, error) {
	var push Push
	if json.Unmarshal([]byte(data["content"]), &push) != nil || push.TransactionID == "" {
		return nil, notHandleable()
	}
	return &push, nil
}

// fcmData is the data block of a message; the keys for hybrid frameworks beside content are not needed.
type fcmData struct {
	Content string `json:"content"`
}

func notHandleable() error {
	return local("invalid_push", NumberNotHandleable, "the payload names no transaction")
}
