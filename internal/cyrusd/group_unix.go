//go:build unix

package cyrusd

import (
	"os/exec"
	"syscall"
)

// ownGroup gives master a process group: when it ends it signals its whole
// group, which would otherwise be the test and every other instance.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
