package redisstore

import "context"

func hintChannel(topic string) string { return "hint:" + topic }

// Hint tells every process that listens to a topic that something has changed. It may get lost: listeners poll too.
func (s *Store) Hint(ctx context.Context, topic string) error {
	return unavailable(s.client.Publish(ctx, hintChannel(topic), "").Err())
}

// Hints returns a channel that gets a value after each hint, until ctx ends and it is closed. Hints that come while the
// last one is not taken yet are one. Lost connections are made anew.
func (s *Store) Hints(ctx context.Context, topic string) <-chan struct{} {
	woken := make(chan struct{}, 1)
	subscription := s.client.Subscribe(ctx, hintChannel(topic))
	go func() {
		defer close(woken)
		defer subscription.Close()
		messages := subscription.Channel()
		for {
			select {
			case <-ctx.Done():
				return
			case _, open := <-messages:
				if !open {
					return
				}
				select {
				case woken <- struct{}{}:
				default:
				}
			}
		}
	}()
	return woken
}
