package site_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/journal"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// firstNight starts a district in which everybody has an account.
func firstNight(t *testing.T) (*sitetest.Sandbox, *site.Settings, []schoolmail.Account) {
	t.Helper()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(60)))(t)
	set := sb.Settings()
	s := testlife.Of(site.Open(set, nil))(t)
	acts, err := s.Run(t.Context(), &site.RunOptions{Day: sb.District.Today(), Apply: true})
	if err != nil || acts[0].Err != nil {
		t.Fatal(err, acts)
	}
	seen, err := s.Ports().Directory.(site.Directory).Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return sb, set, seen.Accounts
}

// class is that of some pupil, with all its pupils.
func class(t *testing.T, all []schoolmail.Account) (site.WhosePasswords, map[string]schoolmail.Account) {
	t.Helper()
	var w site.WhosePasswords
	in := map[string]schoolmail.Account{}
	for _, a := range all {
		if a.Role == schoolmail.RolePupil && w.Class == "" {
			w.School, w.Class = a.Memberships[0].School, a.Memberships[0].Classes[0]
		}
		if a.Role == schoolmail.RolePupil && a.Memberships[0].School == w.School && a.Memberships[0].Classes[0] == w.Class {
			in[a.Username] = a
		}
	}
	if len(in) == 0 {
		t.Fatal("no pupils")
	}
	return w, in
}

// handed has the passwords in the lists that lie in the clear; nobody stands in two lines.
func handed(t *testing.T, set *site.Settings) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(set.StateDir, "initial-passwords", "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
			cells := strings.Split(line, ";")
			if got[cells[0]] != "" {
				t.Errorf("%s stands in two lines", cells[0])
			}
			got[cells[0]] = cells[3]
		}
	}
	return got
}

// opens reports whether a password opens an account.
func opens(t *testing.T, sb *sitetest.Sandbox, a schoolmail.Account, password string) bool {
	t.Helper()
	c, err := ldap.DialURL(sb.LDAP.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Bind(a.DN, password)
	if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		t.Fatal(err)
	}
	return err == nil
}

// A class gets new passwords: those of its pupils alone, in the school's list, which
// open the accounts. The journal says who has asked, and no password.
func TestNewPasswordsForAClass(t *testing.T) {
	t.Parallel()
	sb, set, all := firstNight(t)
	first := handed(t, set)
	whose, in := class(t, all)
	ask := func(apply bool) []site.NewPassword {
		t.Helper()
		s := testlife.Of(site.Open(set, nil))(t)
		defer s.Close()
		list, err := s.NewPasswords(t.Context(), whose, &site.NewPasswordOptions{Day: sb.District.Today(), Apply: apply,
			By: "frei"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != len(in) {
			t.Fatalf("%d of %d pupils", len(list), len(in))
		}
		return list
	}
	for _, p := range ask(false) {
		if p.Set || p.Refused != "" {
			t.Errorf("only asked: %+v", p)
		}
	}
	if got := handed(t, set); !maps.Equal(got, first) {
		t.Fatal("who only asks changes lists")
	}
	for _, p := range ask(true) {
		if !p.Set || p.Err != nil {
			t.Errorf("%s: %v", p.Account.Username, p.Err)
		}
	}
	now := handed(t, set)
	for _, a := range all {
		if a.Key.IsZero() {
			continue
		}
		_, asked := in[a.Username]
		if (now[a.Username] != first[a.Username]) != asked {
			t.Errorf("%s asked %v, has another: %v", a.Username, asked, now[a.Username] != first[a.Username])
		}
		if asked && (!opens(t, sb, a, now[a.Username]) || opens(t, sb, a, first[a.Username])) {
			t.Errorf("%s: not the new password alone opens the account", a.Username)
		}
	}
	b, err := os.ReadFile(filepath.Join(set.StateDir, "journal.jsonl"))
	if err != nil || !strings.Contains(string(b), "frei") || !strings.Contains(string(b), "new-password") {
		t.Error("the journal does not say who has asked", err)
	}
	for _, p := range now {
		if strings.Contains(string(b), p) {
			t.Error("a password is in the journal")
		}
	}
}

// Who is on hold, closed by hand or not ours gets none; nobody is an error, too.
func TestNewPasswordLeftOut(t *testing.T) {
	t.Parallel()
	sb, set, all := firstNight(t)
	day := sb.District.Today()
	whose, in := class(t, all)
	var one schoolmail.Account
	for _, one = range in {
		break
	}
	s := testlife.Of(site.Open(set, nil))(t)
	defer s.Close()
	if _, err := s.Hold(t.Context(), day, one.Key.ID, schoolmail.Hold{Until: day, By: "frei", // to the last day
		Reason: "inquiry"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := handed(t, set)
	s = testlife.Of(site.Open(set, nil))(t)
	defer s.Close()
	for _, who := range []site.WhosePasswords{{Who: one.Username}, {Who: one.Mail}, {Who: one.Key.ID}} {
		list, err := s.NewPasswords(t.Context(), who, &site.NewPasswordOptions{Day: day, Apply: true})
		if err != nil || len(list) != 1 || list[0].Set || !strings.Contains(list[0].Refused, "inquiry") {
			t.Errorf("%v: %+v %v", who, list, err)
		}
	}
	for _, who := range []site.WhosePasswords{{Who: "nobody.here"}, {School: whose.School, Class: "99z"},
		{School: "nowhere", Class: whose.Class}} {
		if _, err := s.NewPasswords(t.Context(), who, nil); err == nil {
			t.Errorf("%+v: no error", who)
		}
	}
	if _, err := s.NewPasswords(t.Context(), site.WhosePasswords{Who: "nobody.here"}, nil); !errors.Is(err,
		schoolmail.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if !maps.Equal(before, handed(t, set)) {
		t.Error("somebody on hold got a password")
	}
}

// Cut off at any point, the next time ends with everybody's password set and handed
// out: the one that opens the account.
func TestNewPasswordsCutOff(t *testing.T) {
	t.Parallel()
	sb, set, all := firstNight(t)
	whose, in := class(t, all)
	for _, keep := range []bool{false, true} {
		for fail := 1; ; fail++ {
			crash := &journal.Faulty{Journal: &journal.Memory{}, Fail: fail, Keep: keep}
			s := testlife.Of(site.Open(set, &site.Parts{Journal: crash}))(t)
			_, err := s.NewPasswords(t.Context(), whose, &site.NewPasswordOptions{Day: sb.District.Today(), Apply: true})
			s.Close()
			if err == nil {
				break
			}
			// Somebody else is asked for; the class is completed all the same.
			s = testlife.Of(site.Open(set, nil))(t)
			other := all[len(all)-1]
			for _, a := range all {
				if _, ok := in[a.Username]; !ok && !a.Key.IsZero() {
					other = a
				}
			}
			list, err := s.NewPasswords(t.Context(), site.WhosePasswords{Who: other.Username},
				&site.NewPasswordOptions{Day: sb.District.Today(), Apply: true})
			if err != nil || len(list) > len(in)+1 {
				t.Fatal(list, err)
			}
			s.Close()
			now := handed(t, set)
			for name, a := range in {
				if !opens(t, sb, a, now[name]) {
					t.Fatalf("cut off at entry %d: the list has not the password of %s", fail, name)
				}
			}
		}
	}
}

// The answer of the directory is lost: the next time sets the same password again.
func TestNewPasswordAnswerLost(t *testing.T) {
	t.Parallel()
	sb, set, all := firstNight(t)
	_, in := class(t, all)
	var one schoolmail.Account
	for _, one = range in {
		break
	}
	s := testlife.Of(site.Open(set, nil))(t)
	lost := &lostAnswer{Directory: s.Ports().Directory.(site.Directory)}
	ask := func() []site.NewPassword {
		kept := &journal.Memory{}
		s := testlife.Of(site.Open(set, &site.Parts{Directory: lost, Journal: kept}))(t)
		defer s.Close()
		defer func() {
			err := kept.Entries(func(e schoolmail.JournalEntry) bool {
				if strings.Contains(e.Error, one.Username) {
					t.Errorf("the journal names somebody: %s", e.Error)
				}
				return true
			})
			if err != nil {
				t.Error(err)
			}
		}()
		list, err := s.NewPasswords(t.Context(), site.WhosePasswords{Who: one.Username},
			&site.NewPasswordOptions{Day: sb.District.Today(), Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := ask(); list[0].Set || list[0].Err == nil || opens(t, sb, one, handed(t, set)[one.Username]) {
		t.Errorf("lost: %+v", list)
	}
	lost.found = true
	if list := ask(); !list[0].Set || !opens(t, sb, one, handed(t, set)[one.Username]) {
		t.Errorf("again: %+v", list)
	}
}

type lostAnswer struct {
	site.Directory
	found bool
}

func (l *lostAnswer) SetPassword(ctx context.Context, a schoolmail.Account, p schoolmail.Secret) error {
	err := l.Directory.(site.PasswordSetter).SetPassword(ctx, a, p)
	if err == nil && !l.found {
		return errors.New("the answer for " + a.Username + " was lost")
	}
	return err
}
