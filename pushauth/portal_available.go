package pushauth

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// availabilityDisabled is how both availability endpoints fail: nothing is audited beside the access.
var availabilityDisabled = disabled("")

// names is the answer of the narrow availability endpoints, and of the wide one in version 2.
type names struct {
	Enabled []string `json:"enabled"`
}

// enabled lists the names of the types that are usable for a user on one device, in version 3 on one application.
// Always 200: an unknown user or device has none.
func (p *Portal) enabled(c echo.Context, v version) error {
	where := initRequest{version: v, appID: parameter(c, "app_id"), deviceID: parameter(c, "device_id")}
	possible, err := p.possibilities(c, v, where.aimsAt)
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, namesOf(possible))
}

// enabledType tells whether one type is usable for a user: version 2. Always 200: an unknown type or user is not.
func (p *Portal) enabledType(c echo.Context, v version) error {
	possible, err := p.possibilities(c, v, everywhere)
	if err != nil {
		return err
	}
	name := parameter(c, "type")
	return web.JSON(c, http.StatusOK, struct {
		Enabled bool `json:"enabled"`
	}{slices.ContainsFunc(possible, func(o possibility) bool { return o.kind.Name == name })})
}

// options lists the types that are usable for a user, and where a push could go. Always 200.
func (p *Portal) options(c echo.Context, v version) error {
	possible, err := p.possibilities(c, v, everywhere)
	if err != nil {
		return err
	}
	if v == v2 {
		return web.JSON(c, http.StatusOK, namesOf(possible))
	}
	options := make([]option, 0, len(possible))
	for _, o := range possible {
		options = append(options, option{Type: o.kind.Name, Method: o.kind.Method, Apps: targets(o.devices, v)})
	}
	return web.JSON(c, http.StatusOK, struct {
		Enabled []option `json:"enabled"`
	}{options})
}

// option is a type that is usable for a user.
type option struct {
	Type        string `json:"type"`
	Method      string `json:"method"`
	SMSFallback bool   `json:"sms_fallback_allowed"`
	Apps        []any  `json:"apps_enrolled_for_push"` // optionApp in version 3, optionDevice in version 4
}

// optionApp is an application that a push could go to.
type optionApp struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// optionDevice is a device that a push could go to.
type optionDevice struct {
	AppID      string `json:"app_id"`
	AppName    string `json:"app_name"`
	DeviceID   string `json:"device_id"`
	DeviceName string `json:"device_name"`
	Platform   string `json:"platform"`
}

// targets lists where a push could go as the version shows it: applications once each, or devices.
func targets(devices []device, v version) []any {
	var list []any
	for _, d := range devices {
		var target any = optionApp{d.application.ID, d.application.Name}
		if v == v4 {
			target = optionDevice{d.application.ID, d.application.Name, d.ClientID, d.DeviceName, d.Platform}
		}
		if !slices.Contains(list, target) {
			list = append(list, target)
		}
	}
	return list
}

// possibility is a type that is usable on some devices.
type possibility struct {
	kind    *settings.AuthenticationType
	devices []device
}

func namesOf(possible []possibility) names {
	list := names{[]string{}}
	for _, o := range possible {
		list.Enabled = append(list.Enabled, o.kind.Name)
	}
	return list
}

func everywhere(store.Enrollment) bool { return true }

// possibilities returns the types that are usable for the user in the path, on the enrollments that aim chooses.
func (p *Portal) possibilities(c echo.Context, v version, aim func(store.Enrollment) bool) ([]possibility, error) {
	ctx := c.Request().Context()
	s := p.Settings.Current()
	if err := v.admit(s, availabilityDisabled); err != nil {
		return nil, err
	}
	enrolled, err := p.Enrollments.EnrolledDevicesOfUser(ctx, parameter(c, "user_id"))
	if err != nil {
		return nil, err
	}
	var devices []device
	for _, e := range enrolled {
		if d, usable := deviceOf(s, e); usable && aim(e.Enrollment) {
			devices = append(devices, d)
		}
	}
	var possible []possibility
	for i := range s.Document.AuthenticationTypes {
		kind := &s.Document.AuthenticationTypes[i]
		usable, err := p.usable(ctx, s, kind, devices)
		if err != nil {
			return nil, err
		}
		if len(usable) > 0 {
			possible = append(possible, possibility{kind, usable})
		}
	}
	return possible, nil
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

// deviceOf finds out what is configured for an enrollment, and whether a push can go there.
func deviceOf(s *settings.Snapshot, e store.EnrolledDevice) (d device, usable bool) {
	if e.PushState != store.PushActive || len(e.PushToken) == 0 {
		return device{}, false
	}
	i := e.Installation
	d = device{
		Enrollment:  e.Enrollment,
		application: s.Application(i.Application),
		version:     s.Version(i.Application, i.Platform, i.Version),
	}
	usable = d.application != nil && d.version != nil && d.version.CurrentStatus() != settings.VersionDisabled
	return d, usable
}
