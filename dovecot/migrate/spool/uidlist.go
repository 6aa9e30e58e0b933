package spool

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/retry"
)

const (
	uidlistName  = "dovecot-uidlist"
	keywordsName = "dovecot-keywords"
	maxKeywords  = 26 // letters in a file name
	// staleLock is when Dovecot takes a lock away from whoever has it.
	staleLock = 2 * time.Minute
)

// uidlist is what a dovecot-uidlist says, without its entries.
type uidlist struct {
	exists   bool
	validity uint32
	next     uint32
	header   []string // further fields: G<guid> and what later versions add
	torn     bool     // the last line has no end
	stat     os.FileInfo
}

// readUIDList reads the version that Dovecot has written since 1.1: a line
// "3 V<uidvalidity> N<next uid> G<guid>", then "<uid> [fields] :<file name>".
// each is called for every entry; it may be nil.
func readUIDList(path string, each func(uid uint32, base string)) (uidlist, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return uidlist{next: 1}, nil
	} else if err != nil {
		return uidlist{}, err
	}
	defer f.Close()
	l := uidlist{exists: true}
	if l.stat, err = f.Stat(); err != nil {
		return l, err
	}
	err = l.parse(f, each)
	return l, err
}

func (l *uidlist) parse(r io.Reader, each func(uid uint32, base string)) error {
	br := bufio.NewReaderSize(r, 64<<10)
	bad := func(n int, text string) error {
		return fmt.Errorf("%w: %s line %d: %.60q", ErrDamaged, uidlistName, n, text)
	}
	last := uint32(0)
	for n := 1; ; n++ {
		raw, err := br.ReadSlice('\n')
		if err == io.EOF && len(raw) == 0 && n > 1 {
			return nil
		}
		line := string(bytes.TrimRight(raw, "\n"))
		switch {
		case err == io.EOF && n > 1:
			l.torn = true // of a kill in the middle of a line
			return nil
		case err == bufio.ErrBufferFull:
			return bad(n, line)
		case err != nil && err != io.EOF:
			return err
		}
		if n == 1 {
			if err := l.parseHeader(line); err != nil {
				return bad(n, line)
			}
			continue
		}
		number, rest, _ := strings.Cut(line, " ")
		uid, err := strconv.ParseUint(number, 10, 32)
		if err != nil || uint32(uid) <= last {
			return bad(n, line)
		}
		// Fields are a letter and a value; the name comes last.
		_, base, ok := strings.Cut(" "+rest, " :")
		if !ok || base == "" {
			return bad(n, line)
		}
		last = uint32(uid)
		l.next = max(l.next, last+1)
		if each != nil {
			base, _, _ = strings.Cut(base, ":")
			each(last, base)
		}
	}
}

func (l *uidlist) parseHeader(line string) error {
	f := strings.Split(line, " ")
	if f[0] != "3" {
		return ErrDamaged
	}
	for _, s := range f[1:] {
		if s == "" {
			continue
		}
		v, err := strconv.ParseUint(s[1:], 10, 32)
		switch s[0] {
		case 'V':
			l.validity = uint32(v)
		case 'N':
			l.next = uint32(v)
		default:
			l.header = append(l.header, s)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if l.validity == 0 || l.next == 0 {
		return ErrDamaged
	}
	return nil
}

func (l *uidlist) headerLine() string {
	return strings.Join(append([]string{"3", fmt.Sprintf("V%d", l.validity), fmt.Sprintf("N%d", l.next)}, l.header...),
		" ") + "\n"
}

// writeUIDList replaces the file: its entries stay when keep is set. The
// caller holds the lock.
func (d *disk) writeUIDList(dir string, l *uidlist, keep bool) error {
	if len(l.header) == 0 {
		var guid [16]byte
		rand.Read(guid[:])
		l.header = []string{"G" + hex.EncodeToString(guid[:])}
	}
	path := filepath.Join(dir, uidlistName)
	err := d.replace(path, path+".tmp", func(w io.Writer) error {
		bw := bufio.NewWriterSize(w, 64<<10)
		bw.WriteString(l.headerLine())
		if keep {
			old, err := os.Open(path)
			if err != nil {
				return err
			}
			defer old.Close()
			br := bufio.NewReaderSize(old, 64<<10)
			for n := 0; ; n++ {
				line, err := br.ReadSlice('\n')
				if err == io.EOF {
					break // what follows the last line end is torn
				} else if err != nil {
					return err
				}
				if n > 0 {
					bw.Write(line)
				}
			}
		}
		return bw.Flush()
	})
	if err == nil {
		l.exists, l.torn = true, false
		l.stat, err = os.Stat(path)
	}
	return err
}

// lock takes a lock in Dovecot's manner: a file NAME.lock that nobody else can
// make, with process and host in it. The returned function gives it back.
func (d *disk) lock(ctx context.Context, path string) (unlock func() error, err error) {
	lock := path + ".lock"
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	// Written beside it and linked, so that there is never a lock that does
	// not say whose it is.
	own := lock + ".schoolmail"
	if err := d.remove(own); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := d.create(own)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(d.writer(f), "%d:%s", os.Getpid(), host)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.remove(own)) }()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if err := d.link(own, lock); err == nil {
			return func() error { return d.remove(lock) }, nil
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if abandoned(lock, host) {
			if err := d.remove(lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			continue
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, lock)
		}
		if retry.Sleep(ctx, 20*time.Millisecond) != nil {
			return nil, ctx.Err()
		}
	}
}

// unlockDead removes locks of a run that was killed.
func (d *disk) unlockDead(dir string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	for _, name := range []string{uidlistName, keywordsName} {
		lock := filepath.Join(dir, name+".lock")
		if abandoned(lock, host) {
			err = errors.Join(err, d.remove(lock))
		}
		if own := lock + ".schoolmail"; exists(own) {
			err = errors.Join(err, d.remove(own))
		}
	}
	return err
}

// abandoned reports whether nobody will give a lock back: its process is gone,
// or it is this one, which holds one lock of an account at a time, or it is old.
func abandoned(lock, host string) bool {
	st, err := os.Stat(lock)
	if err != nil {
		return false
	}
	if time.Since(st.ModTime()) > staleLock {
		return true
	}
	b, err := os.ReadFile(lock)
	if err != nil {
		return false
	}
	pid, on, ok := strings.Cut(strings.TrimSpace(string(b)), ":")
	n, err := strconv.Atoi(pid)
	if !ok || err != nil || on != host || n <= 0 {
		return false
	}
	return n == os.Getpid() || processGone(n)
}

// readKeywords reads a dovecot-keywords: "<number> <keyword>" in each line.
func readKeywords(path string) ([maxKeywords]string, error) {
	var k [maxKeywords]string
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	} else if err != nil {
		return k, err
	}
	for line := range strings.Lines(string(b)) {
		number, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			return k, fmt.Errorf("%w: %s: %.60q", ErrDamaged, path, line)
		}
		if n >= 0 && n < maxKeywords {
			k[n] = name
		}
	}
	return k, nil
}

// addKeywords gives a letter to each of the names that has none and returns
// all letters, and the names for which there is no room.
func (d *disk) addKeywords(ctx context.Context, dir string, names []string) (k [maxKeywords]string, without []string,
	err error) {
	path := filepath.Join(dir, keywordsName)
	if k, err = readKeywords(path); err != nil {
		return k, nil, err
	}
	missing := func() (out []string) {
		for _, name := range names {
			if letter(&k, name) < 0 {
				out = append(out, name)
			}
		}
		return out
	}
	if len(missing()) == 0 {
		return k, nil, nil
	}
	unlock, err := d.lock(ctx, path)
	if err != nil {
		return k, nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if k, err = readKeywords(path); err != nil {
		return k, nil, err
	}
	changed := false
	for _, name := range missing() {
		free := -1
		for i := range k {
			if k[i] == "" {
				free = i
				break
			}
		}
		if free < 0 {
			without = append(without, name)
			continue
		}
		if letter(&k, name) < 0 {
			k[free], changed = name, true
		}
	}
	if !changed {
		return k, without, nil
	}
	return k, without, d.replace(path, path+".tmp", func(w io.Writer) error {
		var b strings.Builder
		for i, name := range k {
			if name != "" {
				fmt.Fprintf(&b, "%d %s\n", i, name)
			}
		}
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// letter returns the number of a keyword, -1 if it has none.
func letter(k *[maxKeywords]string, name string) int {
	for i := range k {
		if k[i] != "" && strings.EqualFold(k[i], name) {
			return i
		}
	}
	return -1
}
