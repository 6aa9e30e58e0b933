//go:build unix

package spool

import (
	"errors"
	"os"
	"syscall"
)

func fileOwner(st os.FileInfo) *Owner {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return &Owner{int(sys.Uid), int(sys.Gid)}
	}
	return nil
}

func processGone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
