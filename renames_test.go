package schoolmail

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// married is a world in which Ida Abel was delivered as Ida Muster from the next day on.
func married(t *testing.T) (*world, Policy, []Record) {
	t.Helper()
	p := smallPolicy(14)
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	after := ida("primary")
	after[0].FamilyName = "Muster"
	return w, p, after
}

func findingsOf(p *Plan, kind string) (list []string) {
	for _, f := range p.Findings {
		if f.Kind == kind {
			list = append(list, f.Text)
		}
	}
	return list
}

// What a changed family name means for user name and address: nothing; nothing, and a
// rename is proposed for as long as the change is fresh; a rename.
func TestFollowFamilyName(t *testing.T) {
	t.Parallel()
	w, p, recs := married(t)
	plain := planOf(t, p, w, recs, day0+1)
	for _, follow := range []FollowFamilyName{FollowNo, FollowAsk} {
		p.Naming.FollowFamilyName = follow
		plan := planOf(t, p, w, recs, day0+1)
		if d := cmp.Diff(plain.Steps, plan.Steps); d != "" {
			t.Errorf("%s: other steps (-no +%[1]s)\n%s", follow, d)
		}
		want := 0
		if follow == FollowAsk {
			want = 1
		}
		if got := findingsOf(plan, "rename-proposed"); len(got) != want ||
			want == 1 && !strings.Contains(got[0], "provision -rename 1 would make the address ida.muster@") {
			t.Errorf("%s proposes %q", follow, got)
		}
	}
	mustApply(t, w, planOf(t, p, w, recs, day0+1))
	if got := findingsOf(planOf(t, p, w, recs, day0+3), "rename-proposed"); len(got) != 1 {
		t.Errorf("two days later nothing is proposed any more: %q", got)
	}
	if got := findingsOf(planOf(t, p, w, recs, day0+60), "rename-proposed"); len(got) != 0 {
		t.Errorf("two months later it is still proposed: %q", got)
	}

	w, p, recs = married(t)
	p.Naming.FollowFamilyName, p.Naming.ChangeUsernames = FollowYes, true
	plan := planOf(t, p, w, recs, day0+1)
	if len(plan.Steps) != 1 || plan.Steps[0].Kind() != KindRename {
		t.Fatalf("yes plans %v", plan.Steps)
	}
	r := plan.Steps[0].Action.(Rename)
	if r.After.Username != "ida.muster" || !strings.HasPrefix(r.After.Mail, "ida.muster@") ||
		!slices.Contains(r.After.Aliases, r.Before.Mail) || r.After.DisplayName != "Ida Muster" {
		t.Errorf("after it %+v", r.After)
	}
	if !slices.ContainsFunc(r.After.Marks, func(m Mark) bool { return m.Guard == "renames" }) {
		t.Error("no guard will remember it")
	}
}

// Renames count for the guard of renames: more than it lets through wait, whole.
func TestRenamesAreGuarded(t *testing.T) {
	t.Parallel()
	p := smallPolicy(14)
	w := newWorld(t, p)
	p.Naming.FollowFamilyName = FollowYes
	var before, after []Record
	for i := range 20 {
		r := person(string(rune('a'+i)), "Bär", "Beat"+strings.Repeat("o", i+1), RolePupil, at("ps-b", "primary"))
		before = append(before, r)
		r.FamilyName = "Meer"
		after = append(after, r)
	}
	w.run(p, delivery(before), day0)
	plan := planOf(t, p, w, after, day0+1)
	held := 0
	for _, h := range plan.Held {
		if h.Guard == "renames" && h.Step.Kind() == KindRename {
			held++
		}
	}
	if held == 0 || held+len(plan.Steps) != len(w.accounts) {
		t.Errorf("%d renames are held, %d steps are left", held, len(plan.Steps))
	}
}

// Who moves, leaves, or has an old copy keeps the user name for now.
func TestRenameWaits(t *testing.T) {
	t.Parallel()
	ask := []RenameRequest{{ID: "1", Username: "ida.other", By: "frei"}}
	kinds := func(p *Plan) (list []Kind) {
		for _, s := range p.Steps {
			list = append(list, s.Kind())
		}
		return list
	}
	t.Run("transferred today", func(t *testing.T) {
		t.Parallel()
		w, p, _ := twoTerms(t, 14)
		p.Naming.ChangeUsernames, p.Renames = true, ask
		plan := planOf(t, p, w, ida("secondary"), day0+2)
		if got := kinds(plan); slices.Contains(got, KindRename) || len(findingsOf(plan, "rename-waits")) != 1 {
			t.Errorf("renamed with %v, found %v", got, plan.Findings)
		}
	})
	t.Run("old copy", func(t *testing.T) {
		t.Parallel()
		w, p, plan := twoTerms(t, 14)
		mustApply(t, w, plan)
		p.Naming.ChangeUsernames, p.Renames = true, ask
		got := planOf(t, p, w, ida("secondary"), day0+3)
		if len(got.Held) != 1 || !strings.Contains(got.Held[0].Why, "old copy") || slices.Contains(kinds(got), KindRename) {
			t.Errorf("steps %v, held %v", kinds(got), got.Held)
		}
	})
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		w, p, _ := married(t)
		p.Renames = ask
		plan := planOf(t, p, w, nil, day0+2)
		if got := kinds(plan); slices.Contains(got, KindRename) || len(findingsOf(plan, "rename-waits")) != 1 {
			t.Errorf("renamed with %v, found %v", got, plan.Findings)
		}
	})
}

// begun is the world in which a rename of Ida Abel was cut off with these former names.
func begun(t *testing.T, f Former) (*world, Policy) {
	t.Helper()
	w, p, _ := married(t)
	for name, a := range w.accounts {
		f.Until = day0 + 100
		a.Former = []Former{f}
		w.accounts[name] = a
	}
	return w, p
}

// Who leaves after a rename that was cut off is found by their name everywhere first:
// else nobody would shut out the user, or delete the mailbox, under the old one.
func TestRenameIsCompletedBeforeALeave(t *testing.T) {
	t.Parallel()
	w, p := begun(t, Former{Username: "ida.old"})
	plan := planOf(t, p, w, nil, day0+2)
	if len(plan.Steps) != 1 || plan.Steps[0].Kind() != KindRename {
		t.Errorf("planned %v, held %v", plan.Steps, plan.Held)
	}
}

// Cut off before the directory has the new user name, a rename is completed without it,
// nobody is told that it has changed, and whoever asked for it learns so.
func TestRenameCutOffBeforeTheUsername(t *testing.T) {
	t.Parallel()
	w, p := begun(t, Former{Username: "ida.abel", Mail: "ida.old@lernende.example"})
	plan := planOf(t, p, w, ida("primary"), day0+2)
	if len(plan.Steps) != 1 || plan.Steps[0].Kind() != KindRename || len(findingsOf(plan, "rename-in-part")) != 1 {
		t.Fatalf("planned %v, found %v", plan.Steps, plan.Findings)
	}
	want := []Former{{Mail: "ida.old@lernende.example", Until: day0 + 100, Told: true}}
	if r := plan.Steps[0].Action.(Rename); !slices.Equal(r.After.Former, want) || r.After.Username != "ida.abel" {
		t.Errorf("after it %+v", r.After)
	}
	mustApply(t, w, plan)
}

// The domain of an address that is asked for is written as the policy's: what differs in
// capitals only would be nobody's, though somebody has it.
func TestRenameToACapitalDomain(t *testing.T) {
	t.Parallel()
	w, p, recs := married(t)
	p.Renames = []RenameRequest{{ID: "1", Mail: "somebody@" + strings.ToUpper(p.Populations[0].Domain), By: "frei"}}
	if _, err := NewPlan(p, w.observe(), delivery(recs), day0+2); err == nil || !strings.Contains(err.Error(), "domain") {
		t.Error("accepted:", err)
	}
}

// What is asked for and is or was somebody else's is given to nobody.
func TestRenameToSomebodyElsesNames(t *testing.T) {
	t.Parallel()
	p := smallPolicy(14)
	p.Naming.ChangeUsernames = true
	w := newWorld(t, p)
	recs := append(ida("primary"), person("2", "Udo", "Boll", RolePupil, at("ps-a", "primary")))
	w.run(p, delivery(recs), day0)
	udo := w.accounts["udo.boll"]
	udo.Aliases = []string{"udo@pupils.example"}
	w.accounts["udo.boll"] = udo
	for _, test := range []struct {
		q    RenameRequest
		held bool
	}{
		{RenameRequest{Mail: udo.Mail}, true},
		{RenameRequest{Mail: "udo@pupils.example"}, true},
		{RenameRequest{Mail: "postmaster@pupils.example"}, true},
		{RenameRequest{Username: "udo.boll"}, true},
		{RenameRequest{Mail: "ida@pupils.example", Username: "ida"}, false},
	} {
		test.q.ID, test.q.By = "1", "frei"
		p.Renames = []RenameRequest{test.q}
		plan := planOf(t, p, w, recs, day0+1)
		if held := len(plan.Held) == 1; held != test.held || held == (len(plan.Steps) > 0) {
			t.Errorf("%+v: steps %v, held %+v", test.q, plan.Steps, plan.Held)
		}
		for _, h := range plan.Held {
			if !strings.Contains(h.Why, "somebody else's") {
				t.Errorf("%+v: held, because %s", test.q, h.Why)
			}
		}
	}
}

// The address of before is an alias until its day has come.
func TestOldAddressEndsOnItsDay(t *testing.T) {
	t.Parallel()
	const old = "ida.old@pupils.example"
	for days, ended := range map[Date]bool{99: false, 100: true, 101: true} {
		w, p := begun(t, Former{Mail: old, Told: true}) // until the 100th day
		a := w.accounts["ida.abel"]
		a.Aliases = []string{old}
		w.accounts["ida.abel"] = a
		plan := planOf(t, p, w, ida("primary"), day0+days)
		if !ended {
			if len(plan.Steps) > 0 {
				t.Errorf("day %d: %v", days, plan.Steps)
			}
			continue
		}
		if len(plan.Steps) != 1 {
			t.Fatalf("day %d: %v", days, plan.Steps)
		}
		if c, ok := plan.Steps[0].Action.(ChangeAccount); !ok || len(c.After.Aliases) > 0 || len(c.After.Former) > 0 {
			t.Errorf("day %d: %+v", days, plan.Steps[0])
		}
	}
}

// A name that is only proposed is still the next newcomer's.
func TestProposedNamesAreFree(t *testing.T) {
	t.Parallel()
	w, p, recs := married(t)
	p.Naming.FollowFamilyName = FollowAsk
	recs = append(recs, person("2", "Ida", "Muster", RolePupil, at("ps-b", "primary")))
	recs[1].Traits.Birth, recs[0].Traits.Birth = "another day", ""
	for _, s := range planOf(t, p, w, recs, day0+1).Steps {
		if c, ok := s.Action.(CreateAccount); ok && c.Account.Mail != "ida.muster@pupils.example" {
			t.Errorf("the newcomer gets %s", c.Account.Mail)
		} else if ok {
			return
		}
	}
	t.Error("nobody is created")
}

// Each of two renames in a row is told, once, wherever it is cut off.
func TestEveryRenameIsTold(t *testing.T) {
	t.Parallel()
	for _, cut := range []string{"", "ensure-user", "ensure-mailbox", "disconnect", "notify"} {
		w, p, recs := married(t)
		for i, mail := range []string{"ida.one@pupils.example", "ida.two@pupils.example"} {
			p.Renames = []RenameRequest{{ID: "1", Mail: mail, By: "frei"}}
			today := day0.AddDays(1 + i)
			options := &ApplyOptions{InitialPassword: testPassword, Clock: today.Time}
			after := false // the directory has the new names
			for _, down := range []bool{true, false} {
				w.fault = func(_ int, what string, done bool) error {
					after = after || what == "change-account" && done
					if down && after && what == cut && !done {
						return errors.New("down")
					}
					return nil
				}
				plan := planOf(t, p, w, recs, today)
				if _, err := Apply(t.Context(), plan, w.ports(), options); err != nil {
					t.Fatal(err)
				}
				p.Renames = nil
			}
			told := 0
			for _, n := range w.notices {
				told += n
			}
			if a := w.accounts["ida.abel"]; told != i+1 || a.Mail != mail || a.unfinished() != nil {
				t.Errorf("rename %d, %q fails: told %d times, now %+v", i+1, cut, told, a)
			}
		}
	}
}

// After a rename that was cut off before Open-Xchange followed, the user is found under
// the name of before: it is neither nobody's, nor made a second time.
func TestUserOfAnInterruptedRename(t *testing.T) {
	t.Parallel()
	w, p := begun(t, Former{Username: "ida.abel"})
	a := w.accounts["ida.abel"]
	a.Username = "ida.new"
	delete(w.accounts, "ida.abel")
	w.accounts["ida.new"] = a
	plan := planOf(t, p, w, ida("primary"), day0+2)
	if len(plan.Steps) != 1 || plan.Steps[0].Kind() != KindRename || len(plan.Findings) > 0 {
		t.Errorf("planned %v, found %v", plan.Steps, plan.Findings)
	}
}
