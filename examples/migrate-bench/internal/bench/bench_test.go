//go:build linux

package bench

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/lacking"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"help", []string{"-h"}, 0, "SCHOOLMAIL_CYRUS_ROOT"},
		{"unknown flag", []string{"-fast"}, 2, "-fast"},
		{"something besides flags", []string{"x"}, 2, "-h explains"},
		{"nothing left to measure", []string{"-scale", "1000"}, 2, "-scale"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if got := Main(t.Context(), c.args, &out, &errs); got != c.want ||
				!strings.Contains(out.String()+errs.String(), c.says) {
				t.Errorf("exit %d, want %d\n%s", got, c.want, errs.String())
			}
		})
	}
}

func needServers(t *testing.T) {
	t.Helper()
	if cyrusd.Root() == "" {
		lacking.Skip(t, cyrusd.ErrNotInstalled)
	}
	for _, tool := range []string{"mbsync", "dovecot"} {
		if _, err := exec.LookPath(tool); err != nil {
			lacking.Skip(t, errors.New("install the Debian packages dovecot-imapd and isync"))
		}
	}
}

// What the servers alone need: each row does its work, and ours beside them.
func TestBound(t *testing.T) {
	t.Parallel()
	needServers(t)
	var out, errs bytes.Buffer
	if got := Main(t.Context(), []string{"-scale", "100", "-bound", "-only", "200 folders$", "-tools", "migrate"}, &out,
		&errs); got != 0 {
		t.Fatalf("exit %d\n%s%s", got, out.String(), errs.String())
	}
	for _, want := range []string{
		"4,000 small messages, 200 folders, divided by 100", "| source: LOGIN and LIST with states, 10 times | ",
		"| source: EXAMINE, SEARCH and FETCH of each with flags, dates and digests, discarded | ",
		"| target: CREATE and MULTIAPPEND of each, from memory | ", "| migrate | ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// The tables, with a hundredth of the mail: every tool runs, and ours brings
// everything, the nasty account's mail too.
func TestTables(t *testing.T) {
	t.Parallel()
	needServers(t)
	var out, errs bytes.Buffer
	if got := Main(t.Context(), []string{"-scale", "100"}, &out, &errs); got != 0 {
		t.Fatalf("exit %d\n%s%s", got, out.String(), errs.String())
	}
	for _, want := range []string{
		"Cyrus 3.", " to Dovecot 2.3.",
		"| 5,000 small messages, 1 folder, divided by 100 | migrate | ",
		"| 5,000 small messages, 50 folders, divided by 100 | migrate | ",
		"| 200 messages of 2 MB, 1 folder, divided by 100 | migrate | ",
		" | mbsync", " | dsync",
		"8 mailboxes at once",
		"| | migrate | 19 of 19 | 19 | 19 | 18 of 18 | 18 | 18 |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
