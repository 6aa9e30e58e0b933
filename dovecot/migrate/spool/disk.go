package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// Owner is who the files at the target belong to.
type Owner struct{ UID, GID int }

// disk makes every change at the target, so that a test can end the run at
// each of them, as a kill would.
type disk struct {
	owner  *Owner // nil: whoever runs the program
	noSync bool
	// fault is asked before every change; its error is returned instead.
	fault func(op, path string) error
}

func (d *disk) step(op, path string) error {
	if d.fault == nil {
		return nil
	}
	return d.fault(op, path)
}

// mkdir makes one directory; one that exists is as good, if it does not
// belong to root since a run was killed between making it and giving it away.
func (d *disk) mkdir(path string) error {
	if st, err := os.Stat(path); err == nil {
		if o := fileOwner(st); d.owner == nil || o == nil || o.UID != 0 || d.owner.UID == 0 {
			return nil
		}
	} else {
		if err := d.step("mkdir", path); err != nil {
			return err
		}
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := d.syncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	if d.owner == nil {
		return nil
	}
	if err := d.step("chown", path); err != nil {
		return err
	}
	return os.Chown(path, d.owner.UID, d.owner.GID)
}

// create makes a new file for writing.
func (d *disk) create(path string) (*os.File, error) {
	if err := d.step("create", path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if d.owner != nil {
		if err := f.Chown(d.owner.UID, d.owner.GID); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// writer writes to f through step, half of the bytes when that fails.
func (d *disk) writer(f *os.File) io.Writer { return diskWriter{d, f} }

type diskWriter struct {
	d *disk
	f *os.File
}

func (w diskWriter) Write(b []byte) (int, error) {
	if err := w.d.step("write", w.f.Name()); err != nil {
		n, _ := w.f.Write(b[:len(b)/2])
		return n, err
	}
	return w.f.Write(b)
}

// replace writes a whole file beside path and renames it into place. tmp is a
// fixed name, so that what a kill left is overwritten.
func (d *disk) replace(path, tmp string, write func(io.Writer) error) error {
	if err := d.remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.create(tmp)
	if err != nil {
		return err
	}
	err = write(d.writer(f))
	if err == nil {
		err = d.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := d.rename(tmp, path); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

func (d *disk) rename(from, to string) error {
	if err := d.step("rename", to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// link gives a file a second name, which must be free.
func (d *disk) link(from, to string) error {
	if err := d.step("link", to); err != nil {
		return err
	}
	return os.Link(from, to)
}

func (d *disk) remove(path string) error {
	if !exists(path) {
		return fs.ErrNotExist
	}
	if err := d.step("remove", path); err != nil {
		return err
	}
	return os.Remove(path)
}

// appendTo adds to a file with one write and brings it to the disk.
func (d *disk) appendTo(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = d.writer(f).Write(b)
	if err == nil {
		err = d.sync(f)
	}
	return errors.Join(err, f.Close())
}

func (d *disk) sync(f *os.File) error {
	if d.noSync {
		return nil
	}
	return f.Sync()
}

// syncDir makes the names in a directory durable.
func (d *disk) syncDir(path string) error {
	if d.noSync {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// syncFiles makes the contents of many files durable. Together they cost
// little more than one: the file system writes its journal once.
func (d *disk) syncFiles(paths []string) error {
	if d.noSync {
		return nil
	}
	var g errgroup.Group
	g.SetLimit(16)
	for _, p := range paths {
		g.Go(func() error {
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Sync()
		})
	}
	return g.Wait()
}

// ownerFor decides whom new files belong to: the owner of the nearest
// directory that exists. Mail of root would be of no use to Dovecot.
func ownerFor(path string) (*Owner, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
			continue
		}
		if err != nil {
			return nil, err
		}
		o := fileOwner(st)
		if o == nil || o.UID == 0 {
			return nil, fmt.Errorf("%s belongs to root: make the home of the user first, or name the owner of the mail", dir)
		}
		return o, nil
	}
}
