package registration

// ParseStatement lets the fuzz test call the parser of client statements. It returns the thumbprint of the key.
func ParseStatement(text string) (thumbprint string, err error) {
	s, err := parseStatement(text)
	return s.key.thumbprint, err
}

// CleanName lets the fuzz test call the cleaning of device names.
func CleanName(name string) string { return cleanName(name) }
