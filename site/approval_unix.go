//go:build unix

package site

import (
	"io/fs"
	"strconv"
	"syscall"
)

// fileOwner returns the id of the user whom a file belongs to.
func fileOwner(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(st.Uid), 10)
	}
	return ""
}
