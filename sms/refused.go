package sms

import "strconv"

// Class is why a message was not sent, in the words that callers act on.
type Class string

// The classes.
const (
	NumberRefused Class = "number_refused" // no gateway sends to this number, or not with any sender: another try is useless
	SenderRefused Class = "sender_refused" // perhaps another sender helps
	Throttled     Class = "throttled"      // too much at once: later
	Down          Class = "gateway_down"   // no answer, a fault, wrong credentials, or no gateway at all
)

// Refused is the error of a message that was not sent. It never holds the number or the text.
type Refused struct {
	Class  Class
	Status int    // of HTTP; 0 = there was no answer
	Vendor int    // the gateway's own number for what went wrong; 0 = none
	Reason string // ours, short
}

func (r *Refused) Error() string {
	text := "sms: " + string(r.Class) + ": " + r.Reason
	if r.Status != 0 {
		text += ", status " + strconv.Itoa(r.Status)
	}
	if r.Vendor != 0 {
		text += ", code " + strconv.Itoa(r.Vendor)
	}
	return text
}

// InvalidNumber tells whether the fault is the number's, not the gateway's.
func (r *Refused) InvalidNumber() bool { return r.Class == NumberRefused }
