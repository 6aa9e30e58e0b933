package lease

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

// system names what this process shares with all that it can see: one start of one
// kernel, and one name space of processes.
func system() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	pids, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + pids
}

// running reports whether there is a process of this number, or may be one.
func running(process int) bool {
	return !errors.Is(syscall.Kill(process, 0), syscall.ESRCH)
}
