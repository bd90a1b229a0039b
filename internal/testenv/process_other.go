//go:build unix && !linux

package testenv

import "syscall"

func childAttributes(c command) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: c.user}
}
