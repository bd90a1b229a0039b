package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

// configure writes the configuration file of a process and how to start it. more is laid over it.
func (d *deployment) configure(s *server, publicURL string, ports []string, more object) error {
	ca := filepath.Join(d.dir, "apns-ca.pem")
	if err := save(ca, d.world.apns.CAPEM()); err != nil {
		return err
	}
	if publicURL == "" {
		publicURL = "http://" + ports[0]
	}
	loopback := []string{"127.0.0.1/32"}
	config := object{
		"public_base_url":    publicURL,
		"data_dir":           filepath.Join(s.dir, "data"),
		"trusted_proxies":    loopback,
		"transaction_header": transactionHeader,
		"listen":             object{"public": ports[0], "console": ports[1], "operations": ports[2]},
		"push": object{
			"apns_production_url": d.world.apns.URL(), "apns_development_url": d.world.apns.URL(), "apns_ca_file": ca,
			"fcm_endpoint": d.world.fcm.Endpoint(),
		},
		"outbound":    object{"allow_private": object{"push": loopback, "callback": loopback, "jwks": loopback, "provider": loopback, "hook": loopback, "sms": loopback}},
		"mobile_auth": object{"allow_http_callbacks": true},
		"limits":      object{"authorizations_per_minute": 0}, // one actor of the load signs in all the time
	}
	maps.Copy(config, more)
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	s.config = filepath.Join(s.dir, "config.yaml")
	if err := save(s.config, text); err != nil {
		return err
	}
	s.args, s.env = []string{"serve", "--config", s.config}, environment()
	return nil
}

// keyFile returns the file of the key-encryption key that the processes of a cluster share, made at the first call.
func (d *deployment) keyFile() (string, error) {
	path := filepath.Join(d.dir, "encryption.key")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, save(path, []byte(newKey()+"\n"))
}

// command runs another command of the binary under the configuration of the process.
func (s *server) command(args ...string) (result, error) {
	return command(s.dir, s.env, append(args, "--config", s.config)...)
}
