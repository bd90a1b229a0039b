// Command tokenserver is the server and everything to operate it: serve, demo, check, config, migrate, admin, keys, audit.
//
// It owns the configuration of the process, the command line, signals and the listeners, and it is the only package that
// builds the parts and connects them. It knows no rule of the protocol.
package main
