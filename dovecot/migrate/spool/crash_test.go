package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errKilled = errors.New("killed")

// killAt makes every change from the nth on fail, as if the process had ended:
// n counts from 0. It returns how many were made or tried.
func (w *world) killAt(n int) *int {
	count := new(int)
	w.opt.fault = func(op, path string) error {
		*count++
		if *count > n {
			return errKilled
		}
		return nil
	}
	return count
}

// A run that ends at any change to the disk is finished by the next one as if
// nothing had happened: the first copy, and a later one with all kinds of changes.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	l := layouts["3.6"]
	first := func() (a, b *fake) {
		a, b = &fake{validity: 111}, &fake{folder: "Projekte", validity: 222}
		for i := range 5 {
			a.add(fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i), `\Seen`, "NonJunk")
		}
		a.add("Subject: last\r\n\r\n\r\n", `\Flagged`)
		b.add("Subject: b\r\n\r\n", "$Label1")
		b.add("Subject: c\r\n\r\n")
		return a, b
	}
	second := func(a, b *fake) {
		a.msgs[0].flags = nil
		a.msgs[1].flags = []string{`\Answered`, "other"}
		a.msgs[2].gone = true
		a.msgs = append(a.msgs[:3], a.msgs[4:]...)
		a.add("Subject: new\r\n\r\n", "other")
		a.add("Subject: newer\r\n\r\n")
		b.add("Subject: d\r\n\r\n")
	}
	for _, changes := range []bool{false, true} {
		t.Run(map[bool]string{false: "first copy", true: "changes"}[changes], func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ {
				w := newWorld(t)
				a, b := first()
				write := func() { a.write(t, w.root, "anna", l); b.write(t, w.root, "anna", l) }
				write()
				if changes {
					w.convert(t)
					second(a, b)
					write()
				}
				count := w.killAt(n)
				res, err := w.run(t)
				killed := *count > n
				if killed && err == nil && len(res.Problems) == 0 {
					t.Fatalf("killed at change %d, and nobody noticed: %+v", n, res)
				}
				w.opt.fault = nil
				res, err = w.run(t)
				if err != nil || len(res.Problems) > 0 || res.Total.Renumbered > 0 {
					t.Fatalf("after a kill at change %d: %+v, %v", n, res, err)
				}
				for _, f := range []*fake{a, b} {
					if d := cmp.Diff(f.lines(), readMaildir(t, w.dir(f.folder))); d != "" {
						t.Fatalf("killed at change %d: (-source +target)\n%s", n, d)
					}
				}
				left, _ := filepath.Glob(filepath.Join(w.acct.Maildir, "*", "*.lock"))
				more, _ := filepath.Glob(filepath.Join(w.acct.Maildir, "*.lock"))
				if len(left)+len(more) > 0 {
					t.Fatalf("killed at change %d: locks are left: %q %q", n, left, more)
				}
				if res, err = w.run(t); err != nil || res.Unchanged != 2 {
					t.Fatalf("killed at change %d: the third run had to do something: %+v, %v", n, res, err)
				}
				if !killed {
					if n < 30 {
						t.Errorf("only %d changes were counted", n)
					}
					return
				}
				os.RemoveAll(filepath.Dir(w.root))
			}
		})
	}
}

// A kill at the target's last line: half of it is not a name.
func TestTornList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := &fake{validity: 5}
	for range 3 {
		a.add("Subject: x\r\n\r\n")
	}
	a.write(t, w.root, "anna", layouts["3.6"])
	w.convert(t)
	file := filepath.Join(w.dir(""), uidlistName)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b[:len(b)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	a.add("Subject: new\r\n\r\n")
	a.write(t, w.root, "anna", layouts["3.6"])
	res := w.convert(t)
	if d := cmp.Diff(a.lines(), readMaildir(t, w.dir(""))); d != "" || res.Total.Renumbered != 0 {
		t.Errorf("%+v\n%s", res.Total, d)
	}
}
