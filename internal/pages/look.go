package pages

import (
	"strings"

	"github.com/labstack/echo/v4"
)

// Look is what a client changes about the pages that its users see.
type Look struct {
	Set     string // name of its template set; "" or an unknown one = none
	Default string // name of the set that stands behind it, and in front of the built-in pages
	Logo    string // https address of its logo; "" = none
}

const lookKey = "pages.look"

// Wear gives the pages of a request the look of its client. A logo that is not https is not shown.
func Wear(c echo.Context, l Look) {
	if !strings.HasPrefix(l.Logo, "https://") || Origin(l.Logo) == "" {
		l.Logo = ""
	}
	c.Set(lookKey, l)
}

func lookOf(c echo.Context) Look {
	l, _ := c.Get(lookKey).(Look)
	return l
}

// dressed returns the set of a look: the client's over the default one over the built-in pages. Each pair is made once;
// what Open has read is valid, so this cannot fail.
func (p *Pages) dressed(l Look) (*set, error) {
	front, behind := p.overlays[l.Set], p.overlays[l.Default]
	if front == nil || front == behind {
		front, behind = behind, nil
	}
	if front == nil {
		return p.builtIn, nil
	}
	key := [2]*overlay{front, behind}
	if made, ok := p.made.Load(key); ok {
		return made.(*set), nil
	}
	s := p.builtIn.under(behind).under(front)
	if err := s.parse(); err != nil {
		return nil, err
	}
	made, _ := p.made.LoadOrStore(key, s)
	return made.(*set), nil
}
