//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lock makes a file. Where a crash leaves it behind it must be removed by hand.
func lock(name string) (unlock func() error, err error) {
	l, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w, or %s was left behind by a crash and may be removed", ErrLocked, name)
	}
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(l, os.Getpid())
	return func() error { return errors.Join(l.Close(), os.Remove(name)) }, nil
}
