package sms

import (
	"fmt"

	"github.com/nyaruka/phonenumbers"
)

// longestNumber is longer than any way to write a phone number.
const longestNumber = 64

// Number returns a phone number in international notation (E.164: + and up to 15 digits). Blanks, dashes and brackets are
// accepted. country is that of numbers without a country code, two capital letters; "" refuses those. Numbers are judged by
// length and country code alone: which of them are in use changes faster than releases. Errors: *Refused of class NumberRefused.
func Number(text, country string) (string, error) {
	refused := func(reason string) error { return &Refused{Class: NumberRefused, Reason: reason} }
	if text == "" || len(text) > longestNumber {
		return "", refused("not a phone number")
	}
	if country == "" {
		country = phonenumbers.UNKNOWN_REGION
	}
	n, err := phonenumbers.Parse(text, country)
	if err != nil {
		return "", fmt.Errorf("read phone number: %w", refused("not a phone number")) // the library's error tells no more
	}
	if n.GetExtension() != "" || !phonenumbers.IsPossibleNumber(n) {
		return "", refused("not a possible phone number")
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}
