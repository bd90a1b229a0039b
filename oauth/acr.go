package oauth

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// levelACR begins the values of acr that name an authentication level, 1 to 4.
const levelACR = "urn:onegini.com:oidc:authentication_level:"

const highestLevel = 99

// errLevel is returned for a level that is no whole number from 0 to 99.
var errLevel = errors.New("no authentication level")

// productACR reads urn:onegini.com:oidc:authentication_level:<1-4>[:identification_level:<1-4>].
func productACR(acr string) (level int, known bool) {
	rest, ours := strings.CutPrefix(acr, levelACR)
	if !ours {
		return 0, false
	}
	number, identification, found := strings.Cut(rest, ":identification_level:")
	if len(number) != 1 || number[0] < '1' || number[0] > '4' {
		return 0, false
	}
	if found && (len(identification) != 1 || identification[0] < '1' || identification[0] > '4') {
		return 0, false
	}
	return int(number[0] - '0'), true
}

// parseLevel reads an authentication level as an identity provider writes it. None is 0. Errors: errLevel.
func parseLevel(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	if len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return 0, errLevel
	}
	n, err := strconv.Atoi(text)
	if err != nil || n > highestLevel {
		return 0, errLevel
	}
	return n, nil
}

// providerLevel is the level at which the identity provider has signed the user in: as it says, else as its acr says.
func providerLevel(level, acr string) (int, error) {
	if level == "" {
		named, _ := productACR(acr)
		return named, nil
	}
	return parseLevel(level)
}

// levelOf is the level of the user of a transaction: that of the sign-in, or that of a text message when it is higher.
func levelOf(a store.Authorization, s *settings.Snapshot) (int, error) {
	level, err := providerLevel(a.Level, a.ACR)
	if err != nil {
		return 0, err
	}
	if a.SteppedUp {
		level = max(level, s.Document.OAuth.SMSLevel)
	}
	return level, nil
}

// neededLevel is the level that scopes need: the highest of them.
func neededLevel(s *settings.Snapshot, scopes []string) int {
	needed := 0
	for _, id := range scopes {
		if scope := s.Scope(id); scope != nil {
			needed = max(needed, scope.Level)
		}
	}
	return needed
}

// acrOf is the claim acr of a transaction: what the identity provider says, else the level; the level also when a text
// message has raised it. amrOf is the claim amr.
func acrOf(a store.Authorization, s *settings.Snapshot) string {
	signedIn, err := providerLevel(a.Level, a.ACR)
	level, _ := levelOf(a, s)
	switch {
	case err != nil:
		return a.ACR
	case a.ACR != "" && level == signedIn, level == 0:
		return a.ACR
	}
	return levelACR + strconv.Itoa(level)
}

func amrOf(a store.Authorization) []string {
	if a.SteppedUp && !slices.Contains(a.AMR, "sms") {
		return append(slices.Clip(a.AMR), "sms")
	}
	return a.AMR
}

// meets tells whether a sign-in is one of the wanted contexts, or at a level that is at least the one of them.
func meets(acr string, level int, wanted []string) bool {
	if len(wanted) == 0 || slices.Contains(wanted, acr) {
		return true
	}
	return slices.ContainsFunc(wanted, func(w string) bool {
		n, known := productACR(w)
		return known && level >= n && !strings.Contains(w, ":identification_level:")
	})
}
