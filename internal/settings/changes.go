package settings

// Action is what applying a document does to one part of the settings.
type Action string

// The actions.
const (
	Created Action = "created"
	Updated Action = "updated"
	Removed Action = "removed"
)

// Change is one part of the settings that a document changes.
type Change struct {
	Action  Action   `json:"action"`
	Kind    Kind     `json:"kind"`
	Name    string   `json:"name,omitempty"`    // "" for the two singletons
	Members []string `json:"members,omitempty"` // of an update: what differs
}

// Generated is a secret that was made because the document gave none. It is shown once, here.
type Generated struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Member string `json:"member"`
	Value  string `json:"value"`
}

// Changes is what applying a document did, or would do.
type Changes struct {
	Version   int64       `json:"version"` // of the settings afterwards
	List      []Change    `json:"changes"`
	Generated []Generated `json:"generated,omitempty"` // empty in a plan
}

// Empty tells whether the document said what was there already.
func (c Changes) Empty() bool { return len(c.List) == 0 }

// Count returns how many changes are of one action.
func (c Changes) Count(action Action) int {
	n := 0
	for _, change := range c.List {
		if change.Action == action {
			n++
		}
	}
	return n
}
