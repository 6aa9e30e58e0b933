package spool

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// message deals with one living message of the source.
func (f *folderRun) message(ctx context.Context, r *record) error {
	flags := f.flags(r)
	at := f.t.find(r.uid)
	if e, ok := f.known[r.uid]; ok {
		delete(f.known, r.uid)
		if at.name == "" {
			f.res.Gone++
			return nil
		}
		f.res.Present++
		if !at.listed {
			f.arrive(arrival{uid: r.uid, name: at.name, entry: e})
		}
		return f.change(r, at, e.flags, flags, false)
	}
	if at.name != "" && f.t.isOurs(r.uid) {
		// A run was ended before it could write down that it delivered this.
		f.res.Adopted++
		if !at.listed {
			f.arrive(arrival{uid: r.uid, name: at.name, entry: entry{flags}})
		} else {
			f.st.put(f.plan.box.folder, r.uid, entry{flags})
		}
		return f.change(r, at, nil, flags, true)
	}
	if at.name != "" && f.first && sameContent(f.plan.box.message(r), filepath.Join(f.t.dir, at.name)) {
		f.fs.Foreign = true
		f.res.Adopted++
		f.st.put(f.plan.box.folder, r.uid, entry{flags})
		return f.change(r, at, nil, flags, true)
	}
	return f.copy(ctx, r, flags)
}

// change brings changes of flags from the source to the target: what was
// added or removed there since the last time. With add nothing is removed.
func (f *folderRun) change(r *record, at onDisk, last, now []string, add bool) error {
	base, have := splitFlags(at.name)
	letters := []byte(have)
	for _, flag := range now {
		if l := f.t.letterOf(flag); l != 0 && !slices.Contains(last, flag) && !slices.Contains(letters, l) {
			letters = append(letters, l)
		}
	}
	if !add {
		for _, flag := range last {
			if l := f.t.letterOf(flag); l != 0 && !slices.Contains(now, flag) {
				letters = slices.DeleteFunc(letters, func(c byte) bool { return c == l })
			}
		}
	}
	put := func() {
		if !add && !slices.Equal(last, now) {
			f.st.put(f.plan.box.folder, r.uid, entry{now})
		}
	}
	name := withFlags(base, letters)
	if len(letters) == len(have) && !strings.ContainsFunc(have, func(c rune) bool {
		return !slices.Contains(letters,
			byte(c))
	}) {
		put()
		return nil
	}
	if err := f.d.rename(filepath.Join(f.t.dir, at.name), filepath.Join(f.t.dir, name)); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f.pending = true
		f.problem(f.plan.Source, r.uid, ProblemFlags, filepath.Join(f.t.dir, at.name),
			"the file was renamed or removed this moment")
		return nil
	}
	for i := range f.batch { // it may wait for its line in the uidlist
		if f.batch[i].name == at.name {
			f.batch[i].name = name
		}
	}
	at.name = name
	f.t.put(r.uid, at)
	f.res.Flags++
	put()
	return nil
}

func (f *folderRun) arrive(a arrival) {
	f.batch = append(f.batch, a)
	f.size += a.size
}

// copy brings the content of one message into tmp.
func (f *folderRun) copy(ctx context.Context, r *record, flags []string) error {
	path := f.plan.box.message(r)
	src, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			if f.expunged(ctx, r.uid) {
				return nil
			}
			f.lose(r, ProblemMissing, path, "the message's file is not there")
			return nil
		}
		f.lose(r, ProblemFile, path, "%v", err)
		return nil
	}
	defer src.Close()
	if err := f.prepare(ctx); err != nil {
		return err
	}
	if f.t.letters == ([maxKeywords]string{}) && r.keywords != [4]uint32{} {
		// The folder has been made again just now.
		if err := f.letters(ctx, slices.DeleteFunc(slices.Clone(f.names[:]), func(s string) bool { return s == "" }),
			[128]int{}); err != nil {
			return err
		}
	}
	tmp := fmt.Sprintf("%d.U%dV%d.%s.cyrus", r.date, r.uid, f.t.naming.validity, f.t.naming.tag)
	dst, err := f.d.create(filepath.Join(f.t.dir, "tmp", tmp))
	if err != nil {
		return err
	}
	c := content{w: f.d.writer(dst)}
	err = c.copy(src, f.buf)
	err = errors.Join(err, dst.Close())
	if err == nil {
		err = os.Chtimes(dst.Name(), r.time(), r.time())
	}
	if err != nil {
		if c.readErr {
			f.lose(r, ProblemFile, path, "%v", err)
			return f.d.remove(dst.Name())
		}
		return err
	}
	switch {
	case c.size == 0:
		f.problem(f.plan.Source, r.uid, ProblemEmpty, path,
			"the file is empty (the index says %d bytes); it was copied as it is", r.size)
	case c.size != int64(r.size):
		f.problem(f.plan.Source, r.uid, ProblemContent, path,
			"the file has %d bytes, and the index says %d; it was copied as it is", c.size, r.size)
	case r.sha1 != [20]byte{} && r.sha1 != c.sum:
		f.problem(f.plan.Source, r.uid, ProblemContent, path,
			"the content does not fit the digest in the index; it was copied as it is")
	}
	letters := []byte{}
	for _, flag := range flags {
		if l := f.t.letterOf(flag); l != 0 {
			letters = append(letters, l)
		}
	}
	f.arrive(arrival{uid: r.uid, tmp: tmp, size: c.size, entry: entry{flags},
		name: withFlags(f.t.naming.base(r, c.size, c.size+c.bare), letters)})
	return nil
}

// expunged reports whether the message went while this run was at work.
func (f *folderRun) expunged(ctx context.Context, uid uint32) bool {
	if f.live == nil {
		f.live = map[uint32]bool{}
		file, err := os.Open(f.index)
		if err != nil {
			return false
		}
		defer file.Close()
		x, err := f.records(ctx, file)
		for err == nil {
			var r record
			if r, err = x.next(); err == nil && !r.gone() {
				f.live[r.uid] = true
			} else if _, ok := errors.AsType[*errRecord](err); ok {
				f.live[r.uid], err = true, nil
			}
		}
		if err != io.EOF {
			f.live = nil
			return false
		}
	}
	return !f.live[uid]
}

// deliver makes the batch visible and writes it down.
func (f *folderRun) deliver(ctx context.Context) error {
	if len(f.batch) == 0 {
		return nil
	}
	if err := f.prepare(ctx); err != nil {
		return err
	}
	renumbered, err := f.t.deliver(ctx, f.batch)
	if err != nil {
		return err
	}
	f.res.Renumbered += len(renumbered)
	for _, a := range f.batch {
		f.st.put(f.plan.box.folder, a.uid, a.entry)
		if a.tmp != "" {
			f.res.Copied++
			f.res.Bytes += a.size
			f.done++
			f.bytes += a.size
		}
	}
	f.batch, f.size = f.batch[:0], 0
	if o := f.c.opt.Observer; o != nil {
		o.Observe(migrate.Progress{Account: f.acct.Name, Folder: f.plan.Source, Messages: f.done, Bytes: f.bytes})
	}
	return f.st.saveSometimes(f.d)
}

// content copies a message and looks at it on the way.
type content struct {
	w       io.Writer
	size    int64
	bare    int64 // LF without CR, which Dovecot counts as two bytes
	sum     [20]byte
	readErr bool
}

func (c *content) copy(r io.Reader, buf []byte) error {
	h := sha1.New()
	last := byte(0)
	for {
		n, err := r.Read(buf)
		if b := buf[:n]; n > 0 {
			h.Write(b)
			c.size += int64(n)
			c.bare += int64(bytes.Count(b, []byte{'\n'}) - bytes.Count(b, []byte("\r\n")))
			if b[0] == '\n' && last == '\r' { // the pair was cut in two
				c.bare--
			}
			last = b[n-1]
			if _, err := c.w.Write(b); err != nil {
				return err
			}
		}
		if err == io.EOF {
			h.Sum(c.sum[:0])
			return nil
		} else if err != nil {
			c.readErr = true
			return err
		}
	}
}

// sameContent compares two files.
func sameContent(a, b string) bool {
	fa, err := os.Open(a)
	if err != nil {
		return false
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return false
	}
	defer fb.Close()
	ba, bb := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, errA := io.ReadFull(fa, ba)
		m, errB := io.ReadFull(fb, bb)
		if !bytes.Equal(ba[:n], bb[:m]) || errA != errB {
			return false
		}
		if errA != nil {
			return errA == io.EOF || errA == io.ErrUnexpectedEOF
		}
	}
}
