package audit

// Code is one entry of the catalogue, for example "DYNAMIC_REG_SUCCESS". Only this package makes values of it: the
// constants in codes_gen.go.
type Code string

// Kind tells the closed core catalogue from our additions.
type Kind string

// The kinds of codes.
const (
	Core      Kind = "core"
	Extension Kind = "extension"
)

// Outcome tells what became of a request, as far as its code says.
type Outcome string

// The outcomes. Info is neither: nothing was found, a side effect, a summary.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
	Info    Outcome = "info"
)

// Entry describes one code.
type Entry struct {
	Code        Code
	Kind        Kind
	Area        string // the chapter of the catalogue, for example "dynamic-registration"
	Outcome     Outcome
	Description string
}

// Catalogue returns every entry in the order of catalogue.txt. The slice is a copy.
func Catalogue() []Entry {
	entries := make([]Entry, len(catalogue))
	copy(entries, catalogue[:])
	return entries
}

// Outcome returns what the catalogue says of c: the part of an event that dashboards group by.
func (c Code) Outcome() Outcome {
	for i := range catalogue {
		if catalogue[i].Code == c {
			return catalogue[i].Outcome
		}
	}
	return Info
}

// Stored takes a code as a store kept it. Only stores call it: they return what this package once made.
func Stored(code string) Code { return Code(code) }
