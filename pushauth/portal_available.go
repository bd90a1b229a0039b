package pushauth

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// availabilityDisabled is how both availability endpoints fail: nothing is audited beside the access.
var availabilityDisabled = disabled("")

// enabled lists the names of the types that are usable for a user on one device. Always 200: an unknown user or device
// has none.
func (p *Portal) enabled(c echo.Context) error {
	ctx := c.Request().Context()
	s := p.Settings.Current()
	if !s.MobileAuthenticationOn() {
		return availabilityDisabled
	}
	devices, err := p.devices(ctx, s, parameter(c, "user_id"))
	if err != nil {
		return err
	}
	clientID := parameter(c, "device_id")
	devices = slices.DeleteFunc(devices, func(d device) bool { return d.ClientID != clientID })
	names := []string{}
	for i := range s.Document.AuthenticationTypes {
		kind := &s.Document.AuthenticationTypes[i]
		usable, err := p.usable(ctx, s, kind, devices)
		if err != nil {
			return err
		}
		if len(usable) > 0 {
			names = append(names, kind.Name)
		}
	}
	return web.JSON(c, http.StatusOK, struct {
		Enabled []string `json:"enabled"`
	}{names})
}

// possibility is a type that is usable for a user.
type possibility struct {
	Type        string              `json:"type"`
	Method      string              `json:"method"`
	SMSFallback bool                `json:"sms_fallback_allowed"`
	Apps        []possibilityDevice `json:"apps_enrolled_for_push"`
}

type possibilityDevice struct {
	AppID      string `json:"app_id"`
	AppName    string `json:"app_name"`
	DeviceID   string `json:"device_id"`
	DeviceName string `json:"device_name"`
	Platform   string `json:"platform"`
}

// options lists the types that are usable for a user, and where a push could go. Always 200.
func (p *Portal) options(c echo.Context) error {
	ctx := c.Request().Context()
	s := p.Settings.Current()
	if !s.MobileAuthenticationOn() {
		return availabilityDisabled
	}
	devices, err := p.devices(ctx, s, parameter(c, "user_id"))
	if err != nil {
		return err
	}
	options := []possibility{}
	for i := range s.Document.AuthenticationTypes {
		kind := &s.Document.AuthenticationTypes[i]
		usable, err := p.usable(ctx, s, kind, devices)
		if err != nil {
			return err
		}
		if len(usable) == 0 {
			continue
		}
		o := possibility{Type: kind.Name, Method: kind.Method}
		for _, d := range usable {
			o.Apps = append(o.Apps, possibilityDevice{
				AppID: d.Application, AppName: d.application.Name, DeviceID: d.ClientID, DeviceName: d.DeviceName,
				Platform: d.Platform,
			})
		}
		options = append(options, o)
	}
	return web.JSON(c, http.StatusOK, struct {
		Enabled []possibility `json:"enabled"`
	}{options})
}

// usable returns the devices on which a type of authentication can be asked for now.
func (p *Portal) usable(ctx context.Context, s *settings.Snapshot, kind *settings.AuthenticationType, devices []device) ([]device, error) {
	var list []device
	for _, d := range devices {
		if !s.Document.MobileAuthentication.PushAuthenticationOn() || s.PushConfiguration(d.version.PushConfiguration) == nil {
			continue
		}
		available, err := p.available(ctx, kind, d)
		if err != nil {
			return nil, err
		}
		if available {
			list = append(list, d)
		}
	}
	return list, nil
}

// available tells whether a device that can be pushed to can answer with the method of a type.
func (p *Portal) available(ctx context.Context, kind *settings.AuthenticationType, d device) (bool, error) {
	switch store.Method(kind.Method) {
	case store.Push:
		return true, nil
	case store.PushWithPIN:
		if !d.application.UsesPIN() {
			return false, nil
		}
		return p.Tokens.HasLive(ctx, d.ClientID, d.ProfileID, store.DefaultToken)
	default: // no application can be configured for the other methods
		return false, nil
	}
}

// device finds out what is configured for an enrollment, and whether a push can go there.
func (p *Portal) device(ctx context.Context, s *settings.Snapshot, e store.Enrollment) (d device, usable bool, err error) {
	if e.PushState != store.PushActive || len(e.PushToken) == 0 {
		return device{}, false, nil
	}
	installation, err := p.Enrollments.Installation(ctx, e.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return device{}, false, nil
	}
	if err != nil {
		return device{}, false, err
	}
	d = device{
		Enrollment:  e,
		application: s.Application(installation.Application),
		version:     s.Version(installation.Application, installation.Platform, installation.Version),
	}
	usable = d.application != nil && d.version != nil && d.version.CurrentStatus() != settings.VersionDisabled
	return d, usable, nil
}
