package jetstream

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/internal/statefile"
)

// mark is the file in a directory whose states are those of a queue, and may be replaced.
const mark = ".machine"

// claim makes a directory that of a machine, unless states of a migration without a queue lie there.
func claim(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("jetstream: state: %w", err)
	}
	file := filepath.Join(dir, mark)
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("jetstream: state: %w", err)
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) == ".db" }) {
		return fmt.Errorf("jetstream: %s: there are states that no machine has left, such as those of migrate, and they "+
			"would be lost: want a directory of this machine's own", dir)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return fmt.Errorf("jetstream: state: %w", err)
	}
	return nil
}

// files are those of an account's state on this machine.
func (q *Queue) files(account string) []string {
	db := statefile.Path(q.opt.Dir, account)
	return []string{db, strings.TrimSuffix(db, ".db") + ".intent"}
}

// fetchState replaces what this machine has of an account's state by what was stored last.
func (q *Queue) fetchState(ctx context.Context, key, account string) error {
	q.dropState(account)
	obj, err := q.states.Get(ctx, key)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("jetstream: state: %w", err)
	}
	defer obj.Close()
	to := q.files(account)
	for r := tar.NewReader(obj); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("jetstream: state: %w", err)
		}
		for _, file := range to {
			if filepath.Ext(file) == h.Name {
				err = writeFile(file, r)
			}
		}
		if err != nil {
			return fmt.Errorf("jetstream: state: %w", unnamed(err))
		}
	}
}

func writeFile(file string, r io.Reader) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// storeState stores an account's state in one object, which replaces the last one as a whole.
func (q *Queue) storeState(ctx context.Context, key, account string) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(pack(w, q.files(account))) }()
	_, err := q.states.Put(ctx, jetstream.ObjectMeta{Name: key}, r)
	r.CloseWithError(err)
	if err != nil {
		return fmt.Errorf("jetstream: state: %w", unnamed(err))
	}
	return nil
}

// unnamed is an error about an account's files without the account, whom no log names.
func unnamed(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	if e, ok := errors.AsType[*migrate.Error](err); ok {
		return e.Kind
	}
	return err
}

func pack(to io.Writer, files []string) error {
	w := tar.NewWriter(to)
	for _, file := range files {
		f, err := os.Open(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: filepath.Ext(file), Mode: 0o600, Size: info.Size()})
		}
		if err == nil {
			_, err = io.Copy(w, f)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return w.Close()
}

// dropState removes what this machine has of an account: the next one to hold it may be another.
func (q *Queue) dropState(account string) {
	for _, file := range q.files(account) {
		os.Remove(file)
	}
}
