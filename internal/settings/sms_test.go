package settings_test

import (
	"errors"
	"testing"

	"tokenserver/internal/settings"
)

func TestSMSSettings(t *testing.T) {
	const account = "AC0123456789abcdef0123456789abcdef"
	type document = settings.Document
	for _, tc := range []struct {
		name   string
		rules  settings.Rules
		change func(d *document)
		want   string // the one problem; "" for none
	}{
		{name: "as it stands", change: func(*document) {}},
		{name: "alphanumeric sender", change: func(d *document) { d.SMS.SenderID = "Harbour 24" }},
		{name: "short code", change: func(d *document) { d.SMS.SenderID = "1008" }},
		{name: "number", change: func(d *document) { d.SMS.SenderID = "+31208080808" }},
		{
			name: "long sender", change: func(d *document) { d.SMS.SenderID = "Harbour Bank" },
			want: `sms.sender_id: "Harbour Bank" is no sender: want a number in international notation (+31…), a short code of 3 to 8 digits, or at most 11 letters, digits and blanks`,
		},
		{
			name: "country", change: func(d *document) { d.SMS.DefaultCountry = "nl" },
			want: `sms.default_country: "nl" is no country: want two capital letters, for example NL`,
		},
		{
			name: "unknown gateway", change: func(d *document) { d.SMS.Gateway = "x" },
			want: `sms.gateway: "x" is none of sms_gateways`,
		},
		{
			name: "two of one name", change: func(d *document) { d.SMSGateways[1].ID = "own" },
			want: `sms_gateways[1].id: "own" is used by sms_gateways[0] already: choose another`,
		},
		{
			name: "type", change: func(d *document) { d.SMSGateways[0].Type = "SMPP" },
			want: `sms_gateways[0].type: "SMPP" is unknown: want HTTP or TWILIO`,
		},
		{
			name: "no address", change: func(d *document) { d.SMSGateways[0].URL = "" },
			want: `sms_gateways[0].url: is missing: want https://…`,
		},
		{
			name: "another scheme", change: func(d *document) { d.SMSGateways[0].URL = "smpp://sms.example" },
			want: `sms_gateways[0].url: "smpp://sms.example" is no absolute web address: want https://…`,
		},
		{
			name: "user in the address", change: func(d *document) { d.SMSGateways[0].URL = "https://a:b@sms.example" },
			want: `sms_gateways[0].url: holds a user name: use username and password`,
		},
		{
			name: "fragment", change: func(d *document) { d.SMSGateways[0].URL = "https://sms.example/#x" },
			want: `sms_gateways[0].url: "https://sms.example/#x" has a fragment: remove what follows #`,
		},
		{
			name: "blank in the address", change: func(d *document) { d.SMSGateways[0].URL = "https://sms.example/ x" },
			want: `sms_gateways[0].url: "https://sms.example/ x" is no URL`,
		},
		{name: "in clear", change: func(d *document) { d.SMSGateways[0].URL = "http://sms.example" }},
		{
			name: "in clear in production", rules: settings.Rules{Production: true}, change: func(d *document) { d.SMSGateways[0].URL = "http://sms.example" },
			want: `sms_gateways[0].url: "http://sms.example" is called in clear: want https in production`,
		},
		{
			name: "user without password", change: func(d *document) { d.SMSGateways[0].Username = "u" },
			want: `sms_gateways[0]: username and password belong together: write both or none`,
		},
		{
			name: "account of an HTTP gateway", change: func(d *document) { d.SMSGateways[0].Account = account },
			want: `sms_gateways[0].account: exists for TWILIO only: remove it`,
		},
		{
			name: "no account", change: func(d *document) { d.SMSGateways[1].Account = "" },
			want: `sms_gateways[1].account: is missing: want AC and 32 hex digits, as Twilio shows it`,
		},
		{
			name: "no sender", change: func(d *document) { d.SMSGateways[1].SenderID = "" },
			want: `sms_gateways[1].sender_id: is missing: Twilio sends nothing without a number or a messaging service (MG…)`,
		},
		{name: "messaging service", change: func(d *document) { d.SMSGateways[1].SenderID = "MG0123456789abcdef0123456789abcdef" }},
		{
			name: "API key", change: func(d *document) { d.SMSGateways[1].Username = "S K" },
			want: `sms_gateways[1].username: want the SID of an API key (SK…), or nothing to use the account`,
		},
		{
			name: "no token", change: func(d *document) { d.SMSGateways[1].Password = settings.Secret{} },
			want: `sms_gateways[1].password: is missing: want the auth token of the account, or the secret of the API key, for example {file: PATH}`,
		},
		{
			name: "token with a blank", change: func(d *document) { d.SMSGateways[1].Password = settings.NewSecret("a b") },
			want: `sms_gateways[1].password: want letters and digits, as Twilio shows it`,
		},
		{
			name: "address in Ireland", change: func(d *document) { d.SMSGateways[1].URL = "https://api.dublin.ie1.twilio.com" },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := document{SMSGateways: []settings.SMSGateway{
				{ID: "own", URL: "https://sms.example/send"},
				{ID: "vendor", Type: settings.SMSByTwilio, Account: account, SenderID: "+15005550006", Password: settings.NewSecret("0123456789abcdef")},
			}}
			tc.change(&d)
			err := tc.rules.Validate(d)
			var invalid *settings.Invalid
			if tc.want == "" && err != nil || tc.want != "" && (!errors.As(err, &invalid) || err.Error() != tc.want) {
				t.Errorf("problems:\n%v\nwant:\n%s", err, tc.want)
			}
		})
	}
}

func TestWhichGatewaySends(t *testing.T) {
	gateways := []settings.SMSGateway{{ID: "a"}, {ID: "b"}}
	for _, tc := range []struct {
		gateway string
		all     []settings.SMSGateway
		want    string
	}{{"", gateways, "a"}, {"b", gateways, "b"}, {"c", gateways, ""}, {"", nil, ""}} {
		s := settings.NewSnapshot(1, settings.Document{SMS: settings.SMS{Gateway: tc.gateway}, SMSGateways: tc.all})
		got := ""
		if g := s.SMSGateway(); g != nil {
			got = g.ID
		}
		if got != tc.want {
			t.Errorf("gateway %q of %d: %q, want %q", tc.gateway, len(tc.all), got, tc.want)
		}
	}
}
