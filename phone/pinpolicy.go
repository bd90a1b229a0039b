package phone

import "slices"

// PINPolicy is what the server asks of a PIN. The server never sees a PIN, so the phone enforces it.
type PINPolicy struct {
	Length           int      `json:"length"`             // 5 to 32; 0: no policy known
	MaxSimilarDigits int      `json:"max_similar_digits"` // longest allowed run of one digit; 0: not limited
	SequencesAllowed bool     `json:"sequences_allowed"`  // false refuses arithmetic progressions such as 12345 and 97531
	BlockedPINs      []string `json:"blocked_pins"`       // exact matches
}

// CheckPIN refuses a PIN that the policy does not allow, at its creation and at a change.
// The *Error carries 9014 (length or digits), 9013 (similar digits), 9012 (sequence) or 9011 (blocked).
func CheckPIN(policy PINPolicy, pin string) error {
	if policy.Length != 0 && len(pin) != policy.Length {
		return local("pin_length", NumberPINLength, "the PIN has the wrong length")
	}
	for i := range len(pin) {
		if pin[i] < '0' || pin[i] > '9' {
			return local("pin_length", NumberPINLength, "the PIN may hold digits only")
		}
	}
	if pin == "" {
		return local("pin_length", NumberPINLength, "the PIN is empty")
	}
	if policy.MaxSimilarDigits != 0 && longestRun(pin) > policy.MaxSimilarDigits {
		return local("pin_similar_digits", NumberPINSimilarDigits, "the PIN repeats a digit too often")
	}
	if policy.Length != 0 && !policy.SequencesAllowed && progression(pin) {
		return local("pin_sequence", NumberPINSequence, "the PIN is a sequence")
	}
	if slices.Contains(policy.BlockedPINs, pin) {
		return local("pin_blocked", NumberPINBlocked, "the PIN is on the block list")
	}
	return nil
}

// longestRun counts the longest run of one digit: 2 for 11233, 1 for 12121.
func longestRun(pin string) int {
	longest, run := 0, 0
	for i := range len(pin) {
		if i > 0 && pin[i] == pin[i-1] {
			run++
		} else {
			run = 1
		}
		longest = max(longest, run)
	}
	return longest
}

// progression says whether the digits are one arithmetic progression with a step other than zero.
func progression(pin string) bool {
	if len(pin) < 2 || pin[1] == pin[0] {
		return false
	}
	step := int(pin[1]) - int(pin[0])
	for i := 2; i < len(pin); i++ {
		if int(pin[i])-int(pin[i-1]) != step {
			return false
		}
	}
	return true
}
