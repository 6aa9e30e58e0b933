//go:build !unix

package atomicfile

import "io/fs"

var errInvalid = fs.ErrInvalid
