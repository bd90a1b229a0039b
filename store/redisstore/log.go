package redisstore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo sends what the client library says about its connections to log. The library has one logger for the process:
// call it once, at the start.
func LogTo(log *slog.Logger) { redis.SetLogger(library{log}) }

type library struct{ log *slog.Logger }

// Printf implements the logger of go-redis.
func (l library) Printf(ctx context.Context, format string, values ...any) {
	l.log.WarnContext(ctx, "redis client", "says", fmt.Sprintf(format, values...))
}
