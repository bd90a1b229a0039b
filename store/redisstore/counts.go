package redisstore

import (
	"context"
	"fmt"
	"time"
)

// Count adds one to a counter that is forgotten after life, and returns the sum. One round trip.
func (s *Store) Count(ctx context.Context, key string, life time.Duration) (int, error) {
	pipe := s.client.Pipeline()
	sum := pipe.Incr(ctx, "count:"+key)
	pipe.PExpire(ctx, "count:"+key, life)
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("count: %w", unavailable(err))
	}
	return int(sum.Val()), nil
}
