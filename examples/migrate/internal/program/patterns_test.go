package program

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// Patterns on the command line choose folders with what is below them, in the plan and in the
// copy; and a run in which all is well has one line for each account and none for a folder.
func TestPatternsOfFolders(t *testing.T) {
	t.Parallel()
	from, to := testlife.Of(dovecottest.Start(dovecottest.WithMailboxes()))(t), testlife.Of(dovecottest.Start())(t)
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "anna", Password: "x"})
	}
	for i, f := range []string{"INBOX", "Klasse 7b", "Klasse 7b/Noten", "Klasse 7b/Alt", "Klasse 8a", "Privat"} {
		from.AddMessage("anna", f, message(i))
	}
	args := []string{"-from", "imap://anna:x@" + from.IMAPAddr, "-to", "imap://anna:x@" + to.IMAPAddr, "-insecure",
		"-state", t.TempDir(), "-include", "Klasse ??", "-include", "INBOX", "-exclude", "*/Alt"}
	code, out, errs := call(t, append(args, "-plan")...)
	for _, f := range []string{"Klasse 7b/Alt: configured to stay behind",
		"Privat: not among the folders that are taken"} {
		if code != cli.Done || !strings.Contains(out, f) {
			t.Errorf("exit %d, the plan lacks %q:\n%s%s", code, f, out, errs)
		}
	}
	code, out, errs = call(t, args...)
	if code != cli.Done || !strings.Contains(out, "anna: 4 copied") {
		t.Errorf("exit %d:\n%s%s", code, out, errs)
	}
	if strings.Contains(out+errs, "Klasse") {
		t.Errorf("a folder in which all is well has a line:\n%s%s", out, errs)
	}
	for f, want := range map[string]int{"INBOX": 1, "Klasse 7b": 1, "Klasse 7b/Noten": 1, "Klasse 8a": 1,
		"Klasse 7b/Alt": 0, "Privat": 0} {
		if n := len(to.Messages("anna", f)); n != want {
			t.Errorf("%s: %d messages at the target, want %d", f, n, want)
		}
	}
	// One message is refused: now that folder has a line, and no other.
	from.AddMessage("anna", "Klasse 8a", message(70))
	to.InjectIMAP(dovecottest.IMAPFault{Command: "APPEND", No: "[LIMIT] refused", Times: -1})
	code, out, errs = call(t, args...)
	if code != cli.Held || !strings.Contains(out, `folder "Klasse 8a"`) || strings.Contains(out+errs, "Klasse 7b") {
		t.Errorf("exit %d:\n%s%s", code, out, errs)
	}
}
