package migrate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// From Cyrus into Dovecot 2.4: first copy, a day's changes, certificate.
func TestCyrusToDovecot24(t *testing.T) {
	t.Parallel()
	cfg := &dovecotd.Config{Series24: true, Users: []dovecotd.User{{Name: "anna", Password: password}}}
	to := dovecotd.Start(t, cfg)
	from := cyrus(t, true, "anna")
	c := client(t, from.IMAPAddr, "anna")
	for _, f := range []string{"INBOX.Gesendet", "INBOX.Entw&APw-rfe", "INBOX.Projekte", "INBOX.Projekte.7b"} {
		do(t, c, "CREATE %q", f)
	}
	for i := range 120 {
		put(t, c, "INBOX", `\Seen $Label1`, "01-Feb-2020 10:00:00 +0100", mail(i, ""))
	}
	put(t, c, "INBOX.Gesendet", `\Seen`, "03-Feb-2020 10:00:00 +0100", mail(3000, ""))
	put(t, c, "INBOX.Projekte.7b", `\Flagged`, "03-Feb-2020 10:00:00 +0100", mail(3001, strings.Repeat("x\r\n", 50000)))
	names := map[string]string{"INBOX.Gesendet": "Sent", "INBOX.Entwürfe": "Drafts", "INBOX.Projekte": "Projekte",
		"INBOX.Projekte.7b": "Projekte/7b"}
	m := migrateTo(from.IMAPAddr, to.IMAPAddr, t.TempDir())
	check := func(what string) {
		t.Helper()
		if d := cmp.Diff(read(t, from.IMAPAddr, "anna").renamed(names).filled(),
			read(t, to.IMAPAddr, "anna").filled()); d != "" {
			t.Fatalf("%s: (-source +target)\n%s", what, d)
		}
		if cert, err := m.Verify(t.Context(), account("anna"), nil); err != nil || !cert.Complete {
			t.Errorf("%s: certificate %+v, %v", what, cert, err)
		}
	}
	if res := sync(t, m, account("anna")); res.Copied != 122 || len(res.Problems) != 0 {
		t.Errorf("%+v", res)
	}
	check("first copy")
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1:5 -FLAGS (\Seen)`)
	do(t, c, `MOVE 10:12 INBOX.Projekte`)
	do(t, c, `STORE 20:22 +FLAGS (\Deleted)`)
	do(t, c, `EXPUNGE`)
	if res := sync(t, m, account("anna")); res.Copied != 3 || res.Deleted != 6 || res.Flags != 5 {
		t.Errorf("%+v", res)
	}
	check("delta")
}
