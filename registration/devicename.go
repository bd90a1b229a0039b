package registration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tokenserver/internal/appgate"
	"tokenserver/store"
)

const (
	maxDeviceName = 100 // code points
	maxDevices    = 1000
)

// cleanName is a device name as it is stored: NFC, no control characters and no direction overrides, which could make
// it read like another one, trimmed, at most 100 code points. "" when nothing is left.
func cleanName(name string) string {
	name = appgate.CleanText(norm.NFC.String(strings.Map(func(r rune) rune {
		if r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == utf8.RuneError {
			return -1
		}
		return r
	}, name)))
	if utf8.RuneCountInString(name) > maxDeviceName {
		name = strings.TrimSpace(string([]rune(name)[:maxDeviceName]))
	}
	return name
}

// generatedName is the name of a device that nobody has named.
func generatedName(model, platform string) string {
	switch {
	case model != "":
		return model
	case platform == appgate.IOS:
		return "iOS device"
	}
	return "Android device"
}

// freeName appends (2), (3), … when a user of the installation has another device of that name already.
func (h *Handler) freeName(ctx context.Context, i store.Installation, name string) (string, error) {
	profiles, err := h.Devices.ProfilesOf(ctx, i.ClientID)
	if err != nil {
		return "", fmt.Errorf("read users of an installation: %w", err)
	}
	var taken []string
	for _, p := range profiles {
		others, err := h.Devices.InstallationsOfUser(ctx, p.UserID, maxDevices)
		if err != nil {
			return "", fmt.Errorf("read installations of a user: %w", err)
		}
		for _, other := range others {
			if other.ClientID != i.ClientID {
				taken = append(taken, other.DeviceName)
			}
		}
	}
	free := name
	for n := 2; slices.Contains(taken, free); n++ {
		free = fmt.Sprintf("%s (%d)", name, n)
	}
	return free, nil
}
