package slapd

import (
	"os/exec"
	"syscall"
)

// dieWithParent asks the kernel to end the server when the test binary is
// killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
