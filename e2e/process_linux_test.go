package e2e_test

import "syscall"

// childAttributes ties a server to the life of the tests, also when these are killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
