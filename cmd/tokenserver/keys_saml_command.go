package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"tokenserver/idp/saml"
)

func (p *program) keysSAMLCommand() *cobra.Command {
	var decryption bool
	c := &cobra.Command{
		Use: "saml", Short: "Print a new key pair for the service provider, as settings", Args: noArgs,
		Long: `saml makes an RSA key and a self-signed certificate with which this server signs its requests to SAML
identity providers, and prints them as a part of the settings. Identity providers learn the certificate from the metadata
of the service provider, so give them the metadata again after a change. Nothing is stored.`,
		Example: "  tokenserver keys saml > saml.yaml",
		RunE: func(*cobra.Command, []string) error {
			name := "tokenserver"
			if u, err := url.Parse(p.config.Issuer()); err == nil && u.Hostname() != "" {
				name = u.Hostname()
			}
			key, certificate, err := saml.NewPair(name, p.now())
			if err != nil {
				return err
			}
			use := "signing"
			if decryption {
				use = "decryption"
			}
			_, err = fmt.Fprintf(p.out, "saml:\n  %s_key: |\n%s  %s_certificate: |\n%s", use, indented(key), use, indented(certificate))
			return err
		},
	}
	c.Flags().BoolVar(&decryption, "decryption", false, "the key pair to which identity providers encrypt assertions")
	return c
}

// indented puts every line of a PEM block into a YAML block text.
func indented(block string) string {
	var text strings.Builder
	for line := range strings.Lines(block) {
		text.WriteString("    " + line)
	}
	return text.String()
}
