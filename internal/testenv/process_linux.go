package testenv

import "syscall"

// childAttributes ties the child to the life of the calling thread and keeps it out of our process group, so that an
// interrupt typed at the terminal reaches the tests and not the servers they still need to finish.
func childAttributes(c command) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: c.orphan, Credential: c.user}
}
