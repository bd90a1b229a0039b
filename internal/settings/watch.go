package settings

import (
	"context"
	"time"
)

// pollEvery is how often a process looks for settings that another one wrote.
const pollEvery = time.Second

// Watch keeps the settings current until ctx ends: it looks for a new version every second, and at once on a hint.
// While the store does not answer, the last snapshot stays.
func (s *Service) Watch(ctx context.Context) {
	var hinted <-chan struct{} // nil never yields
	if s.Hints != nil {
		hinted = s.Hints.Hints(ctx, topic)
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case _, open := <-hinted:
			if !open {
				hinted = nil
				continue
			}
		}
		err := s.refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing: // once, not every second
			s.Log.ErrorContext(ctx, "settings: look for changes", "error", err)
		case err == nil && failing:
			s.Log.InfoContext(ctx, "settings: changes are seen again")
		}
		failing = err != nil
	}
}

// refresh loads the settings when their version is not the current one.
func (s *Service) refresh(ctx context.Context) error {
	version, err := s.Documents.SettingsVersion(ctx)
	if err != nil || version == s.Current().Number {
		return err
	}
	return s.Load(ctx)
}
