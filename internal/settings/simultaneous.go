package settings

// Sessions returns how many sign-ins of a user with the same scopes live at a time; 1 unless the client allows several.
func (c *WebClient) Sessions() int {
	const usual = 25
	switch {
	case !c.SimultaneousSessions:
		return 1
	case c.MaxSimultaneousSessions == 0:
		return usual
	}
	return c.MaxSimultaneousSessions
}
