// Package atomicfile replaces files as a whole: after a crash or a loss of power
// either the old content is there or the new one, never a part of it.
//
// The new content is written beside the file, brought to the disk, and put in its
// place; then the folder is brought to the disk too, without which the change of
// names could be lost.
package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Private is the mode of files that only their owner may read, such as those that
// name people.
const Private fs.FileMode = 0o600

// Write replaces the file with what the function writes. The mode is that of the
// new file, whatever the old one had and whatever the umask says. If the function
// or the disk fails, the old file stays as it was.
func Write(file string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	return SyncDir(dir)
}

// WriteBytes replaces the file with data.
func WriteBytes(file string, mode fs.FileMode, data []byte) error {
	return Write(file, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// SyncDir brings the names in a folder to the disk: of files that were made,
// renamed or removed. Where the system cannot do that for folders it does nothing.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, errInvalid) {
		err = nil // such as some network file systems
	}
	return errors.Join(err, d.Close())
}

// Writable makes a folder for private files, if need be, and fails unless a file
// can be made in it.
func Writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
