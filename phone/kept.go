package phone

import (
	"cmp"
	"maps"
	"slices"
)

// Keep stores a fetched message in the state, so that it can be answered after the next start of the app: a message is fetched
// only once. Keep it again after a refused answer, because the refusal has put the next challenge into it.
func (p *Phone) Keep(m *Message) {
	p.change(func(s *state) {
		if s.Messages == nil {
			s.Messages = make(map[string]Message)
		}
		s.Messages[m.TransactionID] = *m
	})
}

// Kept returns a copy of the message that was kept of a transaction, or nil.
func (p *Phone) Kept(transactionID string) *Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.state.Messages[transactionID]; ok {
		return &m
	}
	return nil
}

// AllKept returns copies of all messages that were kept, those that end first before the others.
func (p *Phone) AllKept() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.SortedFunc(maps.Values(p.state.Messages), func(a, b Message) int {
		return cmp.Or(cmp.Compare(a.ExpiresAt, b.ExpiresAt), cmp.Compare(a.TransactionID, b.TransactionID))
	})
}

// Drop forgets the message of a transaction that has come to its end.
func (p *Phone) Drop(transactionID string) {
	p.change(func(s *state) { delete(s.Messages, transactionID) })
}
