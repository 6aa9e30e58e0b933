package migrate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// A target whose names begin with INBOX/ keeps the folder INBOX of the source's INBOX apart
// from INBOX itself.
func TestInboxBelowInboxAtPrefixedTarget(t *testing.T) {
	t.Parallel()
	from := cyrus(t, true, "anna")
	to := dovecot(t, dovecotd.Config{Prefix: "INBOX/", Mailboxes: []dovecotd.Mailbox{}}, "anna")
	c := client(t, from.IMAPAddr, "anna")
	put(t, c, "INBOX", `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(1, ""))
	for i, f := range []string{"INBOX.INBOX", "INBOX.INBOX.unter", "INBOX.Klasse"} {
		do(t, c, "CREATE %q", f)
		put(t, c, f, `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(10+i, ""))
	}
	m := migrateTo(from.IMAPAddr, to.IMAPAddr, t.TempDir())
	res := sync(t, m, account("anna"))
	want := map[string]int{"INBOX": 1, "INBOX/INBOX_": 1, "INBOX/INBOX_/unter": 1, "INBOX/Klasse": 1}
	got := map[string]int{}
	for name, messages := range read(t, to.IMAPAddr, "anna").filled() {
		got[name] = len(messages)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("messages by folder (-want +got)\n%s", d)
	}
	if !strings.Contains(strings.Join(res.Findings, "\n"), `"INBOX/INBOX" is named "INBOX/INBOX_" at the target`) {
		t.Errorf("the other name is not reported: %q", res.Findings)
	}
	if cert, err := m.Verify(t.Context(), account("anna"), nil); err != nil || !cert.Complete {
		t.Errorf("%+v, %v", cert, err)
	}
}
