package program_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// configure replaces a text in the district file.
func (s *playground) configure(t *testing.T, old, text string) {
	t.Helper()
	b, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(b, []byte(old), []byte(text), 1)
	if bytes.Equal(b, changed) {
		t.Fatalf("the district file has no %q", old)
	}
	if err := os.WriteFile(s.config(), changed, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The database of a context is updated, longer than the night waits for: its people
// are left as they are and told of, everybody else gets theirs, and the next run does
// the rest.
func TestContextThatIsBeingUpdated(t *testing.T) {
	t.Parallel()
	s := start(t, 120)
	s.configure(t, "\n[ox]", "\n[ox]\nupdate_wait_seconds = 1")
	const locked, schema = 31, "oxdatabase_7" // one of the contexts of secondary pupils has a database of its own
	state := s.OX.State()
	err := state.AddContext(oxtest.Context{ID: locked, Name: "sekundar-1", Access: "all", Schema: schema,
		Admin: oxtest.User{Name: sitetest.AdminLogin(locked), Password: sitetest.AdminPassword(locked).Reveal()}})
	if err != nil {
		t.Fatal(err)
	}
	if status, out, errs := s.run(t, s.District.Today(), "-apply"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	there := func() (accounts []schoolmail.Account, places []schoolmail.Place) {
		accounts, places = s.look(t)
		return slices.DeleteFunc(accounts, func(a schoolmail.Account) bool { return a.Context != locked }),
			slices.DeleteFunc(places, func(p schoolmail.Place) bool { return p.Context != locked })
	}
	accounts, places := there()

	term := s.District.Next(nil)
	s.deliver(t, exported(t, term))
	state.SetUpdating(schema, true)
	status, out, errs := s.run(t, term.Today(), "-apply")
	if status != 3 || !strings.Contains(out, "context 31 is being updated") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	state.SetUpdating(schema, false)
	nowAccounts, nowPlaces := there()
	if diff := cmp.Diff(accounts, nowAccounts); diff != "" {
		t.Error("accounts of the context were touched:", diff)
	}
	if diff := cmp.Diff(places, nowPlaces); diff != "" {
		t.Error("users of the context were touched:", diff)
	}
	all, _ := s.look(t)
	if len(all) < 125 {
		t.Errorf("%d accounts: the others did not go on", len(all))
	}

	if status, out, errs := s.run(t, term.Today(), "-apply"); status != 0 || !strings.Contains(out, "to change") {
		t.Errorf("afterwards: status %d\n%s%s", status, out, errs)
	}
	if status, out, errs := s.run(t, term.Today()); status != 0 || !strings.Contains(out, "Nothing to do") {
		t.Errorf("at last: status %d\n%s%s", status, out, errs)
	}
}

// Where Open-Xchange lacks the service that copies users, that is said before anything
// is applied, and transfers are held back with that reason.
func TestTransfersWithoutTheCopyService(t *testing.T) {
	t.Parallel()
	s := start(t, 120)
	target, err := url.Parse(s.OX.URL)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(target)
	lacking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "OXUserCopyService") {
			http.NotFound(w, r)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(lacking.Close)
	s.configure(t, s.OX.SOAPURL, lacking.URL+strings.TrimPrefix(s.OX.SOAPURL, s.OX.URL))
	if status, out, errs := s.run(t, s.District.Today(), "-apply"); status != 0 ||
		!strings.Contains(out, "cannot copy users") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	term := s.District.Next(nil)
	s.deliver(t, exported(t, term))
	for _, args := range [][]string{{}, {"-apply"}} {
		status, out, errs := s.run(t, term.Today(), args...)
		if status != 3 || !strings.Contains(out, "its service OXUserCopyService is not installed") ||
			strings.Contains(out, "to transfer") {
			t.Errorf("%v: status %d\n%s%s", args, status, out, errs)
		}
	}
}
