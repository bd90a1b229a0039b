package main

import (
	"os/exec"
	"syscall"
)

// tieToParent has the kernel end the command when testenv is killed.
func tieToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
