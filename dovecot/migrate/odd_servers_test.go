package migrate_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// A date that no server keeps is replaced by that of the header, and it is said.
func TestDatesThatNoServerKeeps(t *testing.T) {
	t.Parallel()
	s := filled(t, 0)
	c := client(t, s.IMAPAddr, "a")
	put(t, c, "INBOX", "", "01-Feb-2020 10:00:00 +0000", mail(1, ""))
	put(t, c, "INBOX", "", "02-Feb-2020 10:00:00 +0000",
		"Received: from x by y; Tue, 3 Mar 2020 09:00:00 +0000\r\nSubject: no date\r\n\r\nx\r\n")
	put(t, c, "INBOX", "", "03-Feb-2020 10:00:00 +0000", "Subject: nothing\r\n\r\nx\r\n")
	for _, year := range []string{"1960", "0000", "2500"} {
		addr := (&proxy{Down: func(l string) (string, bool) {
			return strings.Replace(l, `-Feb-2020 10:00:00`, `-Feb-`+year+` 10:00:00`, 1), true
		}}).start(t, s.IMAPAddr)
		to := dovecot(t, dovecotd.Config{}, "b")
		res := sync(t, migrate.New(insecure(addr), insecure(to.IMAPAddr), t.TempDir(), quick()), toB())
		if res.Copied != 3 || kinds(res) != "date date date" {
			t.Errorf("%s: %+v", year, res)
		}
		var dates []string
		for _, l := range read(t, to.IMAPAddr, "b")["INBOX"] {
			dates = append(dates, strings.Fields(l)[2])
		}
		want := map[string]bool{"2020-03-02T09:00:00Z": true, "2020-03-03T09:00:00Z": true, "1970-01-01T00:00:00Z": true}
		for _, d := range dates {
			delete(want, d)
		}
		if len(want) > 0 {
			t.Errorf("%s: dates %q lack %v", year, dates, want)
		}
	}
}

// A server without NAMESPACE whose folders all lie below INBOX has a prefix.
func TestPrefixWithoutNamespace(t *testing.T) {
	t.Parallel()
	from, to := cyrus(t, true, "anna"), dovecot(t, dovecotd.Config{}, "anna")
	c := client(t, from.IMAPAddr, "anna")
	do(t, c, "CREATE INBOX.Sent")
	do(t, c, "CREATE INBOX.Projekte.x")
	put(t, c, "INBOX.Sent", "", "", mail(1, ""))
	put(t, c, "INBOX.Projekte.x", "", "", mail(2, ""))
	addr := (&proxy{Down: func(l string) (string, bool) {
		return strings.ReplaceAll(l, " NAMESPACE", " XNAME"),
			true
	}}).start(t, from.IMAPAddr)
	sync(t, migrate.New(insecure(addr), insecure(to.IMAPAddr), t.TempDir(), nil), account("anna"))
	got := read(t, to.IMAPAddr, "anna").filled()
	if len(got) != 2 || len(got["Sent"]) != 1 || len(got["Projekte/x"]) != 1 {
		t.Errorf("%v", got)
	}
}

// A token that expires in the middle of the night is read again from its file.
func TestTokenIsReadAgain(t *testing.T) {
	t.Parallel()
	var valid atomic.Value
	valid.Store("one")
	oauth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"active": r.FormValue("token") == valid.Load(), "username": "a"})
	}))
	t.Cleanup(oauth.Close)
	dir, err := os.MkdirTemp("", "oauth") // t.TempDir may not be entered by Dovecot's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	file, conf := filepath.Join(dir, "token"), filepath.Join(dir, "oauth2")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(conf, "introspection_url = "+oauth.URL+"/introspect\nintrospection_mode = post\n"+
		"username_attribute = username\nactive_attribute = active\nactive_value = true\n")
	s := dovecot(t, dovecotd.Config{Extra: "auth_mechanisms = plain oauthbearer\npassdb {\n  driver = oauth2\n" +
		"  mechanisms = oauthbearer\n  args = " + conf + "\n}"}, "a", "b")
	put(t, client(t, s.IMAPAddr, "a"), "INBOX", "", "", mail(1, ""))
	write(file, "one\n")
	byFile := toB()
	byFile.Source.Password, byFile.Source.TokenFile = "", file
	byServer := toB()
	byServer.Source.Password = ""
	source := insecure(s.IMAPAddr)
	now := schoolmail.Secret("one")
	source.Token = func(context.Context, string) (schoolmail.Secret, error) { return now, nil }
	m := migrate.New(source, insecure(s.IMAPAddr), t.TempDir(), quick())
	sync(t, m, byFile)
	valid.Store("two")
	if _, err := m.Sync(t.Context(), byFile); err == nil {
		t.Error("an expired token was taken")
	}
	write(file, "two\n")
	sync(t, m, byFile)
	now = "two"
	sync(t, m, byServer)
}

// Messages beyond the limits of age and size stay behind, in plan, copy and certificate alike,
// and come when the limits are widened.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := filled(t, 3) // of 2020
	c := client(t, s.IMAPAddr, "a")
	const largest = 5000
	put(t, c, "INBOX", "", "31-Dec-2018 10:00:00 +0000", mail(10, ""))
	exactly := mail(11, "")
	exactly += strings.Repeat("x", largest-len(exactly))
	put(t, c, "INBOX", "", "01-Jan-2019 10:00:00 +0000", exactly)
	put(t, c, "INBOX", "", "01-Feb-2021 10:00:00 +0000", exactly+"x")
	dir := t.TempDir()
	o := quick()
	o.Limits = migrate.Limits{Since: time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC), MaxSize: largest}
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), dir, o)
	plan, err := m.Plan(t.Context(), toB())
	if err != nil || plan.Mappings[0].Messages != 6 || plan.Mappings[0].Remaining != 4 {
		t.Errorf("%+v, %v", plan, err)
	}
	if res := sync(t, m, toB()); res.Copied != 4 || !strings.Contains(strings.Join(res.Findings, " "),
		"2 messages stay behind") {
		t.Errorf("%+v", res)
	}
	cert, err := m.Verify(t.Context(), toB(), nil)
	if err != nil || !cert.Complete || cert.Total().LeftBehind != 2 {
		t.Errorf("%+v, %v", cert, err)
	}
	if res := sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), dir, quick()), toB()); res.Copied != 2 {
		t.Errorf("without limits: %+v", res)
	}
}

// Flags are renamed or left out on the way, and the certificate knows it.
func TestFlagsRenamed(t *testing.T) {
	t.Parallel()
	s := filled(t, 0)
	c := client(t, s.IMAPAddr, "a")
	put(t, c, "INBOX", `\Seen $Old Junk`, "01-Feb-2020 10:00:00 +0000", mail(1, ""))
	o := quick()
	o.Flags = map[string]string{"$old": "$New", "Junk": ""}
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), o)
	if res := sync(t, m, toB()); len(res.Problems) > 0 {
		t.Errorf("a flag that is left out on purpose is a problem: %+v", res.Problems)
	}
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1 +FLAGS (\Flagged)`)
	if res := sync(t, m, toB()); res.Flags != 1 {
		t.Errorf("%+v", res)
	}
	got := strings.Fields(read(t, s.IMAPAddr, "b")["INBOX"][0])
	if d := cmp.Diff(`$new,\flagged,\seen`, got[len(got)-1]); d != "" {
		t.Error(d)
	}
	if cert, err := m.Verify(t.Context(), toB(), nil); err != nil || cert.Total().Flags != 0 {
		t.Errorf("%+v, %v", cert, err)
	}
}

// The source's storage limit goes along where the target lets us set it, and
// is reported where not.
func TestQuotaGoesAlong(t *testing.T) {
	t.Parallel()
	from := dovecot(t, dovecotd.Config{QuotaRule: "*:storage=5M"}, "a")
	to := dovecot(t, dovecotd.Config{QuotaRule: "*:storage=1M"}, "a")
	for answer, want := range map[string]string{"OK": "was set at the target", "": "could not be set"} {
		var asked atomic.Value
		asked.Store("")
		target := insecure((&proxy{Up: func(l string) (string, string, bool) {
			tag, command, _ := strings.Cut(l, " ")
			if !strings.HasPrefix(command, "SETQUOTA") {
				return l, "", true
			}
			asked.Store(strings.TrimSpace(command))
			if answer == "" { // Dovecot lets nobody set limits but its administrator
				return l, "", true
			}
			return "", tag + " " + answer + "\r\n", true
		}}).start(t, to.IMAPAddr))
		o := quick()
		o.Quota = true
		res := sync(t, migrate.New(insecure(from.IMAPAddr), target, t.TempDir(), o), account("a"))
		if !strings.Contains(strings.Join(res.Findings, " "), want) ||
			!strings.HasSuffix(asked.Load().(string), "(STORAGE 5120)") {
			t.Errorf("%q, %+v", asked.Load(), res)
		}
	}
}

// Gmail's view of all messages is left behind, or brings what is nowhere else.
func TestViewsOfOtherFolders(t *testing.T) {
	t.Parallel()
	s := dovecot(t, dovecotd.Config{}, "a", "b")
	c := client(t, s.IMAPAddr, "a")
	do(t, c, "CREATE All")
	put(t, c, "INBOX", "", "01-Feb-2020 10:00:00 +0000", mail(1, ""))
	put(t, c, "All", "", "01-Feb-2020 10:00:00 +0000", mail(1, ""))
	put(t, c, "All", "", "01-Feb-2020 10:00:00 +0000", mail(2, ""))
	addr := (&proxy{
		Down: func(l string) (string, bool) {
			if strings.HasPrefix(l, "* LIST (") && strings.HasSuffix(strings.TrimSpace(l), "All") {
				l = strings.Replace(l, "(", `(\All `, 1)
			}
			return l, true
		},
		Up: func(l string) (string, string, bool) { // Gmail's own search
			if i := strings.Index(l, "X-GM-RAW"); i >= 0 {
				l = l[:i] + "SUBJECT \"message 2\"\r\n"
			}
			return l, "", true
		},
	}).start(t, s.IMAPAddr)
	m := migrate.New(insecure(addr), insecure(s.IMAPAddr), t.TempDir(), quick())
	if res := sync(t, m, toB()); res.Copied != 1 {
		t.Errorf("%+v", res)
	}
	plan, err := m.Plan(t.Context(), toB())
	if err != nil || !strings.Contains(strings.Join(plan.Skipped, " "), "All: shows messages of other folders once more") {
		t.Errorf("%+v, %v", plan, err)
	}
	gmail, err := migrate.PresetOf("gmail")
	if err != nil {
		t.Fatal(err)
	}
	o, source := quick(), insecure(addr)
	gmail.Apply(&o.Folders, &source)
	m = migrate.New(source, insecure(s.IMAPAddr), t.TempDir(), o)
	if res := sync(t, m, toB()); res.Copied != 1 || res.Adopted != 1 {
		t.Errorf("%+v", res)
	}
	if b := read(t, s.IMAPAddr, "b"); len(b["Archive"]) != 1 || len(b["INBOX"]) != 1 {
		t.Errorf("%v", b)
	}
	if _, err := migrate.PresetOf("lotus"); err == nil {
		t.Error("no such preset")
	}
}
