package standin

import (
	"context"
	"slices"
	"sync"
	"time"
)

// subscriberBuffer is how many pushes a subscriber may be behind; further ones are only in Pushes.
const subscriberBuffer = 1024

// Push is one accepted push message.
type Push struct {
	Service    string    // apns or fcm
	ID         string    // that the service gave it
	Token      string    // of the device
	Topic      string    // APNs: bundle id; FCM: project
	PushType   string    // APNs only
	Priority   string    // APNs: 10, 5, 1; FCM: HIGH, NORMAL
	CollapseID string    // empty: none
	Expiration time.Time // zero: not given
	Payload    []byte    // what the app gets: the APNs payload, or the data of the FCM message as a JSON object
	At         time.Time
}

// pushService is what both push services share: devices, planned failures, and what was accepted.
type pushService struct {
	troubles
	now func() time.Time

	mu          sync.Mutex
	devices     map[string]device
	pushes      []Push
	subscribers []chan Push
	closed      bool
}

// device is an app on a phone, as the push service knows it.
type device struct {
	topic string
	gone  time.Time // when it was unregistered; zero: it is there
}

// AddDevice makes a device token known for a topic (APNs: bundle id; FCM: project id).
func (s *pushService) AddDevice(token, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.devices == nil {
		s.devices = make(map[string]device)
	}
	s.devices[token] = device{topic: topic}
}

// Unregister is the app being removed from the phone: further pushes are told so.
func (s *pushService) Unregister(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, known := s.devices[token]; known {
		d.gone = s.now()
		s.devices[token] = d
	}
}

// Pushes returns what was accepted so far, oldest first.
func (s *pushService) Pushes() []Push {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pushes)
}

// Subscribe returns a channel of the pushes accepted from now on; Close closes it. A reader that falls more than 1024 behind
// misses some.
func (s *pushService) Subscribe() <-chan Push {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan Push, subscriberBuffer)
	if s.closed {
		close(c)
		return c
	}
	s.subscribers = append(s.subscribers, c)
	return c
}

// accept records a push and hands it on.
func (s *pushService) accept(p Push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes = append(s.pushes, p)
	for _, c := range s.subscribers {
		select {
		case c <- p:
		default:
		}
	}
}

// lookup returns a device and whether it is known.
func (s *pushService) lookup(token string) (device, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, known := s.devices[token]
	return d, known
}

// stop closes the channels of the subscribers, once.
func (s *pushService) stop() {
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

// wait lasts for d or until the caller has gone.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
