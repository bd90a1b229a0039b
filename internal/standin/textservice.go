package standin

import (
	"slices"
	"sync"
	"time"
)

// Text is one text message that a gateway has taken: what lies in the inbox of a phone.
type Text struct {
	Service string // http or twilio
	ID      string
	From    string // empty: the gateway's own sender
	To      string // E.164
	Body    string
	Code    string // told beside the body; empty: not told
	At      time.Time
}

// textService is what both SMS gateways share: the inbox, and planned failures.
type textService struct {
	troubles
	now func() time.Time

	mu          sync.Mutex
	texts       []Text
	subscribers []chan Text
	closed      bool
}

// Texts returns what was taken so far, oldest first.
func (s *textService) Texts() []Text {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.texts)
}

// Inbox returns the texts to one number, oldest first.
func (s *textService) Inbox(number string) []Text {
	return slices.DeleteFunc(s.Texts(), func(t Text) bool { return t.To != number })
}

// Subscribe returns a channel of the texts taken from now on; Close closes it. A reader that falls more than 1024 behind misses
// some.
func (s *textService) Subscribe() <-chan Text {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan Text, subscriberBuffer)
	if s.closed {
		close(c)
		return c
	}
	s.subscribers = append(s.subscribers, c)
	return c
}

// accept puts a text into the inbox and hands it on.
func (s *textService) accept(t Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, t)
	for _, c := range s.subscribers {
		select {
		case c <- t:
		default:
		}
	}
}

// stop closes the channels of the subscribers, once.
func (s *textService) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for _, c := range s.subscribers {
		close(c)
	}
}
