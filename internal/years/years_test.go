package years

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/lease"
)

var (
	seed = flag.Uint64("seed", 1, "of the first of the four districts that TestYears plays")
	days = flag.Int("days", 60, "days that each of them lives")
)

// TestYears plays the first days of four districts: with and without birth
// dates in the export, with and without old copies after a transfer.
func TestYears(t *testing.T) {
	t.Parallel()
	for i := range uint64(4) {
		l := NewLife(*seed+i, 120)
		for range *days {
			if err := l.Day(); err != nil {
				t.Fatal(err)
			}
		}
		if l.World.Harm.Total() > 0 {
			t.Errorf("seed %d, %d days, %d steps:\n%s", *seed+i, l.Days, l.Steps, l.World.Harm)
		}
		if l.Steps < *days || len(l.Lies) == 0 {
			t.Errorf("seed %d: nothing happens: %d steps, lies %v", *seed+i, l.Steps, l.Lies)
		}
	}
}

// Two runs never write at the same time: also not when one loses the directory from
// sight, or dies and its lease is broken or goes stale, or lives and its lease is broken.
func TestWriters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, breaks := range []bool{false, true} {
			harm, wrote := Writers(*seed, 200, Pace{Renew: time.Minute, Stale: 5 * time.Minute, Work: 3 * time.Minute,
				Breaks: breaks})
			if harm.Total() > 0 || wrote < 300 {
				t.Errorf("%d runs have written\n%s", wrote, harm)
			}
		}
	})
}

// A write under a lease that somebody else holds by now is seen.
func TestTwoWritersAreSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &notes{shared: &shared{writes: map[string]int{}}, who: "one"}
		l, err := n.acquire(lease.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release()
		n.write(l)
		n.holder = "another"
		n.write(l)
		if len(n.twice) != 1 {
			t.Error(n.twice)
		}
	})
}

// A column of the export is filled down, at one school and at all, at once and from day
// to day: no more becomes of it than the limits allow.
func TestColumnsFilledDown(t *testing.T) {
	t.Parallel()
	for i, what := range columns {
		for j, creeps := range []int{0, 3} {
			l := NewLife(*seed+uint64(i+j), 120)
			for day := range 30 {
				if day == 20 {
					l.lies = nil
					l.filled = column{what: what, since: l.Days, until: l.Days + 8, creeps: creeps}
				}
				if err := l.Day(); err != nil {
					t.Fatal(err)
				}
			}
			if l.World.Harm.Total() > 0 {
				t.Errorf("%s, creeping %d:\n%s", what, creeps, l.World.Harm)
			}
		}
	}
}

// Users in OX are deleted or changed by somebody else, a few every day, and old copies
// fall due: no more are repaired and deleted within any window than the limits allow.
func TestUsersSpoilt(t *testing.T) {
	t.Parallel()
	repairs, spoilt := 0, 0
	for i := range uint64(4) {
		l := NewLife(*seed+i, 120)
		for day := range 50 {
			if day > 20 {
				l.wreck(1 + day%3)
			}
			if err := l.Day(); err != nil {
				t.Fatal(err)
			}
			for _, c := range l.World.changes {
				if c.what == "repair" && c.day == l.World.today {
					repairs++
				}
			}
		}
		if l.World.Harm.Total() > 0 {
			t.Errorf("seed %d: %d spoilt\n%s", *seed+i, l.Spoilt, l.World.Harm)
		}
		spoilt += l.Spoilt
	}
	if repairs < 20 || spoilt < 2*repairs {
		t.Errorf("%d spoilt, %d repaired", spoilt, repairs)
	}
}

// A living site is taken over again and again, and plans are what was computed, through
// a year of four districts. The seeds of the command live longer.
func TestTakenOverAndComputed(t *testing.T) {
	t.Parallel()
	for i := range uint64(2) {
		l := NewLife(*seed+i, 80)
		for day := range 70 {
			if l.Days > 2 && day%9 == 5 && l.quietly() {
				l.estrange()
			}
			if err := l.Day(); err != nil {
				t.Fatal(err)
			}
			if day%10 == 3 {
				if err := l.computed(l.whole()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if l.World.Harm.Total() > 0 || l.Proposed < 20 {
			t.Errorf("seed %d: %d proposed\n%s", *seed+i, l.Proposed, l.World.Harm)
		}
	}
}

// TestIdentity measures a small part of what the command measures.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, births := range []bool{true, false} {
		v, err := Identity(*seed, 160, 2, 40, births)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Passed) > 0 {
			t.Errorf("births %v: of %v wrong ids %d passed: %q", births, v.Injected, len(v.Passed), v.Passed)
		}
		if len(v.Held)*1000 > v.Real || v.Real < 60 {
			t.Errorf("births %v: of %d real changes %d are held: %q", births, v.Real, len(v.Held), v.Held)
		}
	}
}

// TestHarmIsSeen holds that the world notices what a wrong plan would do.
func TestHarmIsSeen(t *testing.T) {
	t.Parallel()
	ida := schoolmail.RecordKey{Source: source, ID: "1"}
	udo := schoolmail.RecordKey{Source: source, ID: "2"}
	account := schoolmail.Account{Key: ida, Username: "ida.abel", Mail: "ida.abel@school.example",
		State: schoolmail.Active, Context: 10}
	with := func(f func(*schoolmail.Account)) schoolmail.Account {
		a := account
		f(&a)
		return a
	}
	leaving := with(func(a *schoolmail.Account) { a.State, a.NoticedOn = schoolmail.Leaving, 1000 })
	for _, test := range []struct {
		want Kind
		do   func(w *World)
	}{
		{SomebodyElse, func(w *World) {
			w.truth.behind[ida] = "2"
			w.ChangeAccount(t.Context(), account, with(func(a *schoolmail.Account) { a.FamilyName = "Frei" }))
		}},
		{SecondAccount, func(w *World) {
			w.CreateAccount(t.Context(), schoolmail.Account{Key: ida, Username: "ida.abel2", Mail: "i2@school.example"}, "x")
		}},
		{PresentNoticed, func(w *World) {
			w.truth.there["1"] = true
			w.Notify(t.Context(), schoolmail.Notice{ID: "n", Kind: schoolmail.NoticeLeaving, Account: account})
		}},
		{ShortNotice, func(w *World) { // 55 days
			w.accounts["ida.abel"], w.today = leaving, 1055
			w.ChangeAccount(t.Context(), leaving, with(func(a *schoolmail.Account) {
				a.State, a.NoticedOn, a.Deactivated = schoolmail.Deactivated, 1000, 1055
			}))
		}},
		{PresentClosed, func(w *World) {
			w.accounts["ida.abel"], w.today, w.truth.delivered["1"] = leaving, 1056, true
			w.ChangeAccount(t.Context(), leaving, with(func(a *schoolmail.Account) {
				a.State, a.NoticedOn, a.Deactivated = schoolmail.Deactivated, 1000, 1056
			}))
		}},
		{PurgedEarly, func(w *World) { // a day before its day
			w.accounts["ida.abel"] = with(func(a *schoolmail.Account) { a.State, a.Deactivated = schoolmail.Deactivated, 1000 })
			w.PurgeAccount(t.Context(), account, 1179)
		}},
		{LastCopyLost, func(w *World) {
			w.DeleteUser(t.Context(), schoolmail.Place{Context: 10, UserID: 3, Username: "ida.abel"})
		}},
		{MailLost, func(w *World) { w.RemoveMailbox(t.Context(), account) }},
		{NameAgain, func(w *World) {
			w.truth.behind[udo] = "2"
			w.CreateAccount(t.Context(), schoolmail.Account{Key: udo,
				Username: "udo.abel", Mail: account.Mail}, "x")
		}},
		{NameChanged, func(w *World) {
			w.ChangeAccount(t.Context(), account, with(func(a *schoolmail.Account) { a.Mail = "ida@school.example" }))
		}},
		{Overfull, func(w *World) {
			w.EnsureUser(t.Context(), 10, schoolmail.UserSpec{Username: "udo.abel", DisplayName: "Udo Abel"})
		}},
		{DisplayNameTwice, func(w *World) {
			w.EnsureUser(t.Context(), 10, schoolmail.UserSpec{Username: "udo.abel", DisplayName: "IDA ABEL"})
		}},
		{HeldTouched, func(w *World) {
			held := with(func(a *schoolmail.Account) { a.Held = true })
			w.accounts["ida.abel"] = held
			w.ChangeAccount(t.Context(), held, with(func(a *schoolmail.Account) { a.Held, a.Phone = true, "1" }))
		}},
		{NoPassword, func(w *World) {
			w.truth.behind[udo] = "2"
			w.CreateAccount(t.Context(), schoolmail.Account{Key: udo, Username: "udo.abel"}, "")
		}},
		{RightsSlipped, func(w *World) { // six new telephones in a week
			l := &Life{World: w, truth: w.truth, policy: policy(100, 14, 0)}
			w.counts()
			for i := range 6 {
				a := with(func(a *schoolmail.Account) {
					a.Username, a.Role = fmt.Sprint("pupil", i), schoolmail.RolePupil
					a.Memberships = []schoolmail.Membership{{School: schoolmail.SchoolID(fmt.Sprint("ps-", i))}}
				})
				b := a
				b.Phone = "1"
				w.note(&a, &b)
			}
			l.rights()
		}},
		{RightsSlipped, func(w *World) { // six repairs in a week, of people of two schools
			l := &Life{World: w, truth: w.truth, policy: policy(100, 14, 0)}
			w.counts()
			for i := range 6 {
				a := with(func(a *schoolmail.Account) {
					a.Username, a.Role = fmt.Sprint("pupil", i), schoolmail.RolePupil
					a.Memberships = []schoolmail.Membership{{School: schoolmail.SchoolID(fmt.Sprint("ps-", i%2))}}
				})
				w.accounts[a.Username], w.broken[a.Username] = a, true
				w.contexts[10].users[a.Username] = user{spec: schoolmail.UserSpec{Username: a.Username, DisplayName: a.Username}}
				w.EnsureUser(t.Context(), 10, schoolmail.UserSpec{Username: a.Username, DisplayName: "Pupil"})
			}
			l.rights()
		}},
		{RightsSlipped, func(w *World) { // six old copies
			l := &Life{World: w, truth: w.truth, policy: policy(100, 14, 0)}
			w.grace = true
			w.EnsureContext(t.Context(), schoolmail.ContextSpec{ID: 20})
			w.counts()
			for i := range 6 {
				a := with(func(a *schoolmail.Account) {
					a.Username, a.Previous = fmt.Sprint("pupil", i), schoolmail.Previous{Context: 20, UserID: 7}
					a.Memberships = []schoolmail.Membership{{School: schoolmail.SchoolID(fmt.Sprint("ps-", i))}}
				})
				w.accounts[a.Username] = a
				for _, c := range []schoolmail.ContextID{10, 20} {
					w.contexts[c].users[a.Username] = user{id: 7, spec: schoolmail.UserSpec{Username: a.Username}}
				}
				w.DeleteUser(t.Context(), schoolmail.Place{Context: 20, UserID: 7, Username: a.Username})
			}
			l.rights()
		}},
		{ToldTwice, func(w *World) {
			w.Notify(t.Context(), schoolmail.Notice{ID: "n", Kind: schoolmail.NoticeLeaving, Account: account})
			(*journal)(w).Append(schoolmail.JournalEntry{Step: "notice:" + account.Key.String(),
				Subject: account.Username, Effect: "send-notice", Phase: schoolmail.Done})
			w.Notify(t.Context(), schoolmail.Notice{ID: "m", Kind: schoolmail.NoticeLeaving, Account: account})
		}},
	} {
		t.Run(string(test.want), func(t *testing.T) {
			p := schoolmail.Policy{Contexts: []schoolmail.ContextSpec{{ID: 10, Capacity: 2}}}
			w := newWorld(&p, &truth{behind: map[schoolmail.RecordKey]string{ida: "1"},
				there: map[string]bool{}, delivered: map[string]bool{}})
			w.today = 1000
			w.EnsureContext(t.Context(), p.Contexts[0])
			w.CreateAccount(t.Context(), account, "x")
			w.EnsureUser(t.Context(), 10, schoolmail.UserSpec{Username: "ida.abel", DisplayName: "Ida Abel"})
			w.EnsureMailbox(t.Context(), account)
			if w.Harm.Total() > 0 {
				t.Fatalf("before anything:\n%s", w.Harm)
			}
			test.do(w)
			if w.Harm.Total() != 1 || w.Harm[test.want] == nil {
				t.Errorf("got\n%s", w.Harm)
			}
		})
	}
}
