//go:build unix

package atomicfile

import "syscall"

// errInvalid is what file systems answer that cannot sync folders.
var errInvalid error = syscall.EINVAL
