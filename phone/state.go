package phone

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Save writes the phone to a JSON file of mode 0600, replacing it in one step. The file holds keys and access tokens in clear
// and refresh tokens under their PIN mask; it stands for app sandbox and keystore of a test device.
func (p *Phone) Save(path string) error {
	p.mu.Lock()
	data, err := json.MarshalIndent(p.state, "", "  ")
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("save phone: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".phone-*")
	if err != nil {
		return fmt.Errorf("save phone: %w", err)
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save phone: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// Load reads what Save wrote.
func Load(path string, options Options) (*Phone, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load phone: %w", err)
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("load phone: %w", err)
	}
	if s.App, err = s.App.normalized(); err != nil {
		return nil, fmt.Errorf("load phone: %w", err)
	}
	if raw, err := hex.DecodeString(s.Hardware); err != nil || len(raw) != hardwareBytes {
		return nil, errors.New("load phone: hardware secret is not 32 bytes of hex")
	}
	return open(s, options)
}
