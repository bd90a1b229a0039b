// Command tokenserver is the one binary of the product: the server, the tools of its operators, and a phone to try it with.
//
// It owns the configuration of the process (config*.go), opens the stores, builds the packages of the domains and connects them
// (server*.go), binds the listeners and ends in good order (serve.go). It is the only package that may import everything; it
// holds no rule of the protocol: those live in the domain packages, and what the virtual phone does lives in package phone.
//
//	serve     run the server; what tokenserver does when it is told nothing     serve.go, server*.go
//	demo      a server, a phone and a portal walk the main job                  demo_command.go, demo/
//	phone     the virtual phone, one step for each call                         phone_*.go
//	check     validate configuration and settings before a start                check_command.go
//	config    print the configuration with its sources                          config_command.go
//	migrate   apply, revert and show schema migrations                          migrate_command.go
//	admin     apply and export the settings document                            admin_command.go
//	keys      list and rotate signing keys, make an encryption key              keys_command.go
//	audit     verify, follow and export the audit log                           audit_command.go
//	version   print the version                                                 root.go
//
// Exit status: 0 done, 1 failed, 2 the command line makes no sense.
package main
