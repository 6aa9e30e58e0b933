package books

import (
	"bytes"
	"context"
	"io"
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
