package audit

import "time"

// Filter selects events of the sealed log. Empty members select everything; they are joined by AND.
type Filter struct {
	UserID        string // case-insensitive
	ClientID      string
	TransactionID string
	Codes         []string // any of them
	Without       []string // none of them
	From          time.Time
	Until         time.Time // exclusive
	Before        int64     // positions below; 0 = all
	After         int64     // positions above
}
