package store

// Setting is one stored part of the settings: an application, a client, a policy and so on.
type Setting struct {
	Kind     string // names the list of the settings document that it belongs to
	Name     string // unique within the kind
	Position int    // in its list
	Body     []byte // JSON; secrets inside are sealed or hashed
}
