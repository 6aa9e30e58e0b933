//go:build unix && !darwin

package program

import "syscall"

// peakMemory returns the largest resident size of the process in bytes.
func peakMemory() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return int64(u.Maxrss) << 10 // Linux and the BSDs count in KiB
}
