package program_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// A monitor hears of all that servers lack, with the keys to blame.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := start(t, 20)
	check := func() (int, string) {
		var out, errs bytes.Buffer
		exit := program.Main(t.Context(), []string{"-config", s.config(), "-check"}, &out, &errs)
		return exit, out.String() + errs.String()
	}
	if exit, out := check(); exit != 0 || out != "All servers have what is needed.\n" {
		t.Errorf("all is well: %d %s", exit, out)
	}
	b, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	spoil := func(old, with string) {
		t.Helper()
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("the file has no %s", old)
		}
		b = bytes.ReplaceAll(b, []byte(old), []byte(with))
		if err := os.WriteFile(s.config(), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spoil(`"webmail"`, `"webmail_of_ours"`)
	if exit, out := check(); exit != 3 || !strings.HasPrefix(out, "warning: Open-Xchange ") ||
		!strings.Contains(out, "[population primary] access") {
		t.Errorf("an access combination of one's own: %d %s", exit, out)
	}
	spoil(sitetest.MasterPassword, "wrong")
	spoil(sitetest.DoveadmKey, "wrong")
	exit, out := check()
	if exit != 1 || strings.Count(out, "\n") != 2 || !strings.Contains(out, "[ox] master_password\n") ||
		!strings.Contains(out, "[mail] api_key\n") {
		t.Errorf("two passwords: %d %s", exit, out)
	}
}
