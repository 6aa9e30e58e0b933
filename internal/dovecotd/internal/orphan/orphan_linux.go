// Package orphan keeps a child process from outliving a test binary that was
// killed, where the system has a way to do so.
package orphan

import (
	"os/exec"
	"syscall"
)

// Prevent asks the kernel to send SIGTERM to the child when its parent ends.
func Prevent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}

// Root makes the child run in another root directory.
func Root(cmd *exec.Cmd, dir string) { cmd.SysProcAttr.Chroot = dir }
