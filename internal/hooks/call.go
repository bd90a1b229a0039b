package hooks

import (
	"context"
	"encoding/json"
	"fmt"

	"tokenserver/internal/settings"
)

// Call sends a question to a hook that decides something, and reads the answer: whatever the hook's switch says, there is no
// going on without one. A second try is made only when the first never reached the hook. Errors: Failure.
func (s *Service) Call(ctx context.Context, h *settings.WebHook, path string, question any, read func(answer []byte) error) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("encode question to web hook: %w", err)
	}
	trouble := s.exchange(ctx, h, path, body, read)
	if trouble != nil && trouble.Reason == "connect" && ctx.Err() == nil {
		trouble = s.exchange(ctx, h, path, body, read)
	}
	if trouble != nil {
		return Failure{h.ID, trouble}
	}
	return nil
}
