package books

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ictmedia/schoolmail/internal/programtest"
	"github.com/ictmedia/schoolmail/site/lease"
	"github.com/ictmedia/schoolmail/ucs"
)

// Books are written under the district's lease alone: who holds it is said and
// nothing is written; a person who knows better breaks it, and afterwards it is free.
func TestHeldDistrict(t *testing.T) {
	t.Parallel()
	p, file := programtest.Populated(t, 40)
	dir, err := ucs.New(p.LDAP.URL, &ucs.Options{BindDN: p.LDAP.BindDN, Password: p.LDAP.Password, Plaintext: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	const other = `{"program":"provision","host":"ox9","process":4711,"start":"2026-08-10T02:00:00Z",` +
		`"counter":1,"nonce":"n"}`
	given, err := dir.Note(t.Context(), "run") // back by the first run
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := dir.SwapNote(t.Context(), "run", given, other); err != nil || !ok {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context()) // nobody waits until it is clear whether the holder lives
	defer cancel()
	told := &until{word: "the district is held by provision on ox9", then: cancel}
	status := Main(ctx, []string{"-config", file, "-apply"}, io.Discard, told)
	if got := told.String(); status != 1 || !strings.Contains(got, "nothing was done") {
		t.Errorf("status %d, want 1: %s", status, got)
	}
	var out, errs bytes.Buffer
	if status := Main(t.Context(), []string{"-config", file}, &out, &errs); status != 0 ||
		!strings.Contains(out.String(), "1a") {
		t.Errorf("showing needs no lease, and nothing was written: status %d\n%s%s", status, &out, &errs)
	}
	out.Reset()
	if status := Main(t.Context(), []string{"-config", file, "-apply", "-break-lease"}, &out, &errs); status != 0 ||
		!strings.Contains(out.String(), "context 10 done") {
		t.Errorf("broken: status %d\n%s%s", status, &out, &errs)
	}
	if seen, err := lease.Look(t.Context(), dir); err != nil || !seen.Free() {
		t.Errorf("after the run: %v %v", seen, err)
	}
}

// On a night on which no book has to change nothing is asked to be changed, not even the
// lease; when one has to, it is taken and given back.
func TestNightWithoutChangesInBooksWritesNothing(t *testing.T) {
	t.Parallel()
	p, file := programtest.Populated(t, 40)
	apply := func() (string, map[string]int) {
		before := p.LDAP.Counts()
		var out, errs bytes.Buffer
		if status := Main(t.Context(), []string{"-config", file, "-apply"}, &out, &errs); status != 0 {
			t.Fatalf("status %d\n%s%s", status, &out, &errs)
		}
		changed := map[string]int{}
		for op, n := range p.LDAP.Counts() {
			if n -= before[op]; n > 0 && !slices.Contains([]string{"bind", "unbind", "search"}, op) {
				changed[op] = n
			}
		}
		return out.String(), changed
	}
	if _, changed := apply(); len(changed) == 0 {
		t.Error("books were filled without the lease")
	}
	requests := p.OX.Counts()
	out, changed := apply()
	if len(changed) > 0 || !strings.Contains(out, "context 10 done: folders +0 ~0 hidden 0 -0, entries +0 ~0 -0") {
		t.Errorf("nothing was to do, and the directory was asked to change %v:\n%s", changed, out)
	}
	for op, n := range p.OX.Counts() {
		if strings.Contains(op, "new") || strings.Contains(op, "update") || strings.Contains(op, "delete") {
			if n != requests[op] {
				t.Errorf("Open-Xchange was asked for %s", op)
			}
		}
	}
}

// until calls a function when a word was written.
type until struct {
	mu   sync.Mutex
	text strings.Builder
	word string
	then func()
}

func (u *until) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.text.Write(b)
	if strings.Contains(u.text.String(), u.word) {
		u.then()
	}
	return len(b), nil
}

func (u *until) String() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.text.String()
}

// Whoever has held the district between the look and the writing may have changed
// people: they are read anew, and books are those of then.
func TestPeopleAreReadAnewWhenTheLeaseWasElsewhere(t *testing.T) {
	t.Parallel()
	_, file := programtest.Populated(t, 40)
	for name, between := range map[string]bool{"nobody": false, "somebody": true} {
		j, err := Open(t.Context(), file, &Options{Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		known := len(j.Accounts)
		j.Accounts = j.Accounts[:1]
		if between {
			l, err := lease.Acquire(t.Context(), j.ahead.directory, "other", nil)
			if err == nil {
				err = l.Release()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := j.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		if anew := len(j.Accounts) == known; anew != between {
			t.Errorf("%s was there: %d accounts of %d", name, len(j.Accounts), known)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
