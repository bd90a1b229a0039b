package pages

import (
	"net/url"
	"reflect"
)

// kind is one page: its template, and samples of all that the template is given.
type kind struct {
	name    string // templates/<name>.html
	title   string // key of a text
	samples []any
}

// kinds are the pages. A template set is checked with the samples, so there is one for every branch of a template.
func kinds() []kind {
	client, target := "Harbour", "https://client.example/back?code=x"
	return []kind{
		{"signin", "signin.title", []any{
			SignIn{ClientName: client, Action: "/sign-in", TransactionID: "t", FormToken: "f"},
			SignIn{ClientName: client, Action: "/sign-in", TransactionID: "t", FormToken: "f", Username: "ann", Notice: "signin.throttled", Minutes: 5},
			SignIn{ClientName: client, Action: "/sign-in", TransactionID: "t", FormToken: "f", Username: "ann", Notice: "signin.failed"},
		}},
		{"consent", "consent.title", []any{
			Consent{ClientName: client, UserName: "Ann", Action: "/consent", Posted: []Field{{"t", "t"}, {"csrf_token", "f"}}},
			Consent{
				ClientName: client, UserName: "Ann", Action: "/consent", Posted: []Field{{"t", "t"}}, Scopes: []Asked{{"see your accounts", false}, {"pay", true}},
				Notice: "consent.again",
			},
			Consent{ClientName: client, UserName: "Ann", Action: "/consent", Posted: []Field{{"t", "t"}}, Scopes: []Asked{{"pay", true}}},
		}},
		{"sms-step-up", "stepup.title", []any{
			StepUp{ClientName: client, Action: "/sms-step-up", TransactionID: "t", FormToken: "f", NumberEnding: "78", Digits: 6, MaySendAgain: true},
			StepUp{ClientName: client, Action: "/sms-step-up", TransactionID: "t", FormToken: "f", NumberEnding: "78", Digits: 6, Notice: "stepup.wrong"},
			StepUp{ClientName: client, Action: "/sms-step-up", TransactionID: "t", FormToken: "f", NumberEnding: "78", Digits: 6, Notice: "stepup.sent"},
		}},
		{"user-code", "device.title", []any{
			UserCode{Action: "/verification", FormToken: "f"},
			UserCode{Action: "/verification", FormToken: "f", UserCode: "BCDF-GHJK", Confirm: true, InvalidFormToken: true},
			UserCode{Action: "/verification", FormToken: "f", UserCode: "BCDF", InvalidUserCode: true},
			UserCode{Action: "/verification", FormToken: "f", LockedMinutes: 10},
		}},
		{"device-authorization-status", "device.success", []any{
			DeviceStatus{ClientName: client, Result: "success"},
			DeviceStatus{ClientName: client, Result: "denied"},
			DeviceStatus{ClientName: client, Result: "expired"},
			DeviceStatus{Result: "alreadyAuthorized"},
			DeviceStatus{Result: "invalidUserCode"},
		}},
		{"two-way-otp", "twoway.title", []any{
			TwoWay{ClientName: client, Action: "/two-way-otp", TransactionID: "t", FormToken: "f", ClientCode: "582115", Minutes: 5},
			TwoWay{ClientName: client, Action: "/two-way-otp", TransactionID: "t", FormToken: "f", ClientCode: "582115", Minutes: 5, Notice: "twoway.wrong"},
			TwoWay{ClientName: client, Action: "/two-way-otp", TransactionID: "t", FormToken: "f", ClientCode: "582115", Minutes: 5, Notice: "twoway.pending"},
		}},
		{"app-to-web", "entry.title", []any{
			AppToWeb{ClientName: client, UserName: "Ann", Action: "/app-to-web", Token: "t", FormToken: "f", Target: target},
			AppToWeb{ClientName: client, UserName: "Ann", Action: "/app-to-web", Token: "t", FormToken: "f", Target: target, Ask: true, Another: true},
		}},
		{"forward-to-authentication", "forward.title", []any{Forward{ClientName: client, ProviderName: "Town Hall", Target: "/oidc/start?t=t"}}},
		{"complete", "complete.title", []any{Complete{ClientName: client, Target: target}, Complete{ClientName: client, Target: target, Refused: true}}},
		{"post", "post.title", []any{Post{Target: target, Fields: url.Values{"code": {"x"}}}}},
		{"endsession-confirm", "logout.title", []any{
			LogoutConfirm{UserName: "Ann", Action: "/logout/accept", ID: "t", FormToken: "f", Reject: "/logout/reject"},
			LogoutConfirm{ClientName: client, UserName: "Ann", Action: "/logout/accept", ID: "t", FormToken: "f", Reject: "/logout/reject", Notice: "logout.again"},
		}},
		{"endsession-success", "signedout.title", []any{
			SignedOut{}, SignedOut{Target: target}, SignedOut{Target: target, Frames: []string{"https://client.example/out?a=1&b=2"}},
		}},
		{"endsession-reject", "stay.title", []any{Stay{}}},
		{"error", "error.title", []any{
			Error{Code: "invalid_request", Text: "error.request"}, Error{Code: "invalid_request", Text: "error.request", TransactionID: "t"},
		}},
	}
}

// Templates returns the names of the templates that a template set can replace, parts first.
func Templates() []string {
	names := parts()
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Variables returns what each page offers its template in .Page: fields, and methods without arguments.
func Variables() map[string][]string {
	all := map[string][]string{}
	for _, k := range kinds() {
		page := reflect.TypeOf(k.samples[0])
		var names []string
		for i := range page.NumField() {
			names = append(names, page.Field(i).Name)
		}
		for i := range page.NumMethod() {
			names = append(names, page.Method(i).Name)
		}
		all[k.name] = names
	}
	return all
}
