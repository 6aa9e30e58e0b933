package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var day0 = NewDate(2026, 8, 10)

// smallPolicy has three small contexts: teachers, and two that pupils share.
func smallPolicy(grace int) Policy {
	if grace == 0 {
		grace = -1 // none
	}
	all := Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 1000}
	limits := GuardLimits{all, all, all, all, all, all, all, all}
	return Policy{
		Source: "escada",
		Populations: []Population{
			{Name: "teachers", Roles: []Role{RoleTeacher, RoleStaff}, Contexts: []ContextID{10}, Domain: "teachers.example",
				Access: "groupware_standard"},
			{Name: "secondary", Roles: []Role{RolePupil}, Levels: []SchoolLevel{"secondary"}, Contexts: []ContextID{30, 20},
				Domain: "pupils.example", Access: "pim"},
			{Name: "primary", Roles: []Role{RolePupil}, Contexts: []ContextID{20}, Domain: "pupils.example", Access: "webmail"},
		},
		Contexts: []ContextSpec{{ID: 10, Name: "c10", Capacity: 9}, {ID: 20, Name: "c20", Capacity: 9, Headroom: 1},
			{ID: 30, Name: "c30", Capacity: 7}},
		LifeCycle: LifeTimes{TransferGraceDays: grace},
		Guards:    Guards{Usual: limits, TermChange: limits, CollapsePercent: 1},
		Schools: named("ps-a", "ps-b", "ps-c", "ps-x", "ss-a", "ss-b", "ss-c", "ss-x", "ss-z", "ss-new0", "ss-new1",
			"ss-new2", "ss-new3", "ss-new4"),
	}
}

// mayEmpty lets a school deliver nobody any more, as somebody would who answers for it:
// for worlds of one person.
func mayEmpty(p Policy) Policy {
	p.Overrides = append(p.Overrides, Override{Guard: "collapse", Until: NewDate(2099, 12, 31), By: "H. Frei",
		Reason: "one person is the school"})
	return p
}

// named are schools that a policy knows, so that nobody waits at a new one.
func named(ids ...SchoolID) (out []School) {
	for _, s := range ids {
		out = append(out, School{ID: s})
	}
	return out
}

func drawRecord(t *rapid.T, id int) Record {
	r := Record{
		Key:        RecordKey{"escada", fmt.Sprint("P", id)},
		Role:       rapid.SampledFrom([]Role{RolePupil, RolePupil, RolePupil, RoleTeacher, RoleStaff}).Draw(t, "role"),
		GivenName:  rapid.SampledFrom([]string{"Anna", "Jörg", "Zoé", "Anna Maria"}).Draw(t, "given"),
		FamilyName: rapid.SampledFrom([]string{"Muster", "Müller", "von Gunten"}).Draw(t, "family"),
		Traits:     Traits{Birth: fmt.Sprint("born", id)}, // many have one name, and are not one person
	}
	for _, s := range []SchoolID{"ps-a", "ss-b"} {
		if rapid.Bool().Draw(t, "at") || s == "ss-b" && len(r.Memberships) == 0 {
			m := Membership{School: s, Level: "primary", Classes: []string{rapid.SampledFrom([]string{"1a", "2b"}).Draw(t,
				"class")}}
			if s == "ss-b" {
				m.Level = "secondary"
			}
			r.Memberships = append(r.Memberships, m)
			if r.Role == RolePupil {
				break
			}
		}
	}
	return r
}

func delivery(rs []Record) Delivery {
	rs = slices.Clone(rs)
	return Delivery{Source: "escada", Kind: DeliveryFull, Fingerprint: fingerprint(rs), Records: rs, Rows: len(rs)}
}

// drawTerms draws some terms: in each, people stay, change, leave, come and return.
func drawTerms(t *rapid.T) [][]Record {
	var terms [][]Record
	var cur, gone []Record
	next := 0
	for range rapid.IntRange(1, 4).Draw(t, "terms") {
		var now []Record
		gone = slices.DeleteFunc(gone, func(r Record) bool {
			if rapid.IntRange(0, 3).Draw(t, "returns") > 0 {
				return false
			}
			now = append(now, redrawn(t, r))
			return true
		})
		for _, r := range cur {
			switch rapid.IntRange(0, 5).Draw(t, "fate") {
			case 0: // leaves
				gone = append(gone, r)
			case 1:
				now = append(now, redrawn(t, r))
			default:
				now = append(now, r)
			}
		}
		for range rapid.IntRange(0, 6).Draw(t, "new") {
			next++
			now = append(now, drawRecord(t, next))
		}
		cur = now
		terms = append(terms, now)
	}
	return terms
}

// redrawn changes everything about somebody but who they are.
func redrawn(t *rapid.T, r Record) Record {
	c := drawRecord(t, 0)
	c.Key, c.GivenName, c.Traits = r.Key, r.GivenName, r.Traits
	return c
}

// prefixes replays a plan and checks promise 1 at every prefix.
func prefixes(t *rapid.T, p Policy, st State, plan *Plan) {
	users := map[ContextID]int{}
	over := map[ContextID]bool{}
	for _, c := range st.Contexts {
		users[c.ID] = c.Users
		over[c.ID] = c.Users > p.context(c.ID).Capacity
		if c.Updating { // nobody knows how many there are
			i := slices.IndexFunc(plan.Forecast, func(f Forecast) bool { return f.Context == c.ID })
			users[c.ID] = plan.Forecast[i].Before
		}
	}
	for _, s := range plan.Steps {
		if a, ok := s.Action.(CreateContext); ok {
			users[a.Spec.ID] = 1
		}
		if c := s.Action.takes(); c != 0 {
			users[c]++
			if limit := p.context(c).Capacity; users[c] > limit && !over[c] {
				t.Fatalf("after %s context %d holds %d of %d", s.ID, c, users[c], limit)
			}
		}
		if c := s.Action.frees(); c != 0 {
			users[c]--
		}
		if a, ok := s.Action.(TransferContext); ok && !a.KeepCopy {
			users[a.Before.Context]--
		}
	}
	for _, f := range plan.Forecast {
		if f.After != users[f.Context] {
			t.Fatalf("forecast of context %d says %d, the steps give %d", f.Context, f.After, users[f.Context])
		}
	}
}

// TestPromises plays random districts through some terms and checks, after
// each, capacity at every prefix, one place for everybody, convergence,
// determinism and that data survives.
func TestPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := smallPolicy(rapid.SampledFrom([]int{0, 7}).Draw(rt, "grace"))
		w := newWorld(rapidTB{t, rt}, p)
		now := day0
		for _, records := range drawTerms(rt) {
			// Now and then somebody clears away old copies in OX.
			if rapid.IntRange(0, 3).Draw(rt, "clear") == 0 {
				for _, a := range w.accounts {
					if c := w.contexts[a.Previous.Context]; c != nil {
						delete(c.users, a.Username)
					}
				}
			}
			// Now and then an operator puts somebody on hold or releases them.
			onHold := map[string]Account{}
			for _, n := range slices.Sorted(maps.Keys(w.accounts)) {
				a := w.accounts[n]
				if rapid.IntRange(0, 9).Draw(rt, "hold") == 0 {
					a.Held = !a.Held
					w.accounts[n] = a
				}
				if a.Held {
					onHold[n] = clone(a)
				}
			}
			d := delivery(records)
			st := w.observe()
			plan, err := NewPlan(p, st, d, now)
			if err != nil {
				rt.Fatal(err)
			}
			prefixes(rt, p, st, plan)

			// The order of rows, accounts and places changes nothing.
			mixed := delivery(records)
			shuffle(rt, mixed.Records)
			mixed.Fingerprint = d.Fingerprint
			shuffle(rt, st.Accounts)
			shuffle(rt, st.Places)
			shuffle(rt, st.Contexts)
			again, err := NewPlan(p, st, mixed, now)
			if err != nil {
				rt.Fatal(err)
			}
			x, _ := plan.Encode()
			y, _ := again.Encode()
			if diff := cmp.Diff(string(x), string(y)); diff != "" {
				rt.Fatalf("the order of the input changed the plan:\n%s", diff)
			}
			back, err := DecodePlan(x)
			if err != nil {
				rt.Fatal(err)
			}
			if z, _ := back.Encode(); string(z) != string(x) {
				rt.Fatal("decode and encode changed the plan")
			}

			w.run(p, d, now)
			w.sound()
			// Everybody delivered who was not held back is where allowed.
			held := map[RecordKey]bool{}
			for n, a := range onHold {
				held[a.Key] = true
				if diff := cmp.Diff(a, w.accounts[n]); diff != "" {
					rt.Fatalf("%s is on hold and was touched:\n%s", n, diff)
				}
			}
			for _, h := range plan.Held {
				held[h.Step.Key] = true
			}
			waiting := false
			for _, f := range plan.Findings { // what waits for a school's delivery
				waiting = waiting || f.Kind == "school-not-delivered"
				held[f.Key] = held[f.Key] || f.Kind == "move-suspended"
			}
			for i := range records {
				r := &records[i]
				if held[r.Key] {
					continue
				}
				pop := p.population(r.Role, r.Memberships)
				n := 0
				for _, a := range w.accounts {
					if a.Key == r.Key {
						if n++; a.State != Active || !slices.Contains(pop.Contexts, a.Context) {
							var b strings.Builder
							plan.WriteText(&b)
							rt.Fatalf("%s is %s in context %d, population %s\n%s", a.Username, a.State, a.Context, pop.Name, b.String())
						}
						if got := w.contexts[a.Context].users[a.Username].spec.Access; a.Access != got || got != pop.Access && !waiting {
							rt.Fatalf("%s has access %q, the directory says %q, %s have %q", a.Username, got, a.Access, pop.Name, pop.Access)
						}
					}
				}
				if n != 1 {
					rt.Fatalf("record %s has %d accounts", r.Key, n)
				}
			}

			writes := w.writes
			if second := w.run(p, d, now); !second.Empty() || w.writes != writes {
				rt.Fatalf("the second run found something to do: %s", second.Summary())
			}
			now = now.AddDays(rapid.SampledFrom([]int{1, 8, 56, 300}).Draw(rt, "days"))
		}
	})
}

// rapidTB gives the world a testing.TB whose errors fail rapid's attempt. They
// come from many goroutines, so the attempt goes on.
type rapidTB struct {
	testing.TB
	rt *rapid.T
}

func (r rapidTB) Errorf(format string, a ...any) { r.rt.Errorf(format, a...) }
func (r rapidTB) Fatal(a ...any)                 { r.rt.Fatal(a...) }
func (r rapidTB) Helper()                        {}

func shuffle[T any](t *rapid.T, s []T) {
	rand.New(rand.NewSource(rapid.Int64().Draw(t, "shuffle"))).Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// TestStability: one more person moves nobody else, one less moves nobody.
func TestStability(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := mayEmpty(smallPolicy(0))
		p.Contexts[0].Capacity, p.Contexts[1].Capacity, p.Contexts[2].Capacity = 50, 50, 50
		w := newWorld(rapidTB{t, rt}, p)
		var records []Record
		for i := range rapid.IntRange(1, 20).Draw(rt, "people") {
			records = append(records, drawRecord(rt, i))
		}
		w.run(p, delivery(records), day0)
		more := append(slices.Clone(records), drawRecord(rt, 1000))
		plan, err := NewPlan(p, w.observe(), delivery(more), day0.AddDays(1))
		if err != nil {
			rt.Fatal(err)
		}
		if len(plan.Steps) != 1 || plan.Steps[0].Kind() != KindCreate {
			rt.Fatalf("one more person:\n%s", plan.Summary())
		}
		less := slices.Delete(slices.Clone(records), 0, 1)
		plan, err = NewPlan(p, w.observe(), delivery(less), day0.AddDays(1))
		if err != nil {
			rt.Fatal(err)
		}
		if len(less) > 0 && (len(plan.Steps) != 1 || plan.Steps[0].Kind() != KindNotice) {
			rt.Fatalf("one person less:\n%s", plan.Summary())
		}
	})
}

// TestCrash stops a year of provisioning at every outside effect and at every
// journal write, before and after it happened, and runs again: the end is the
// same as without the crash, and nothing is lost on the way.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, grace := range []int{0, 7} {
		p := smallPolicy(grace)
		a := func(id, given, family string, role Role, school SchoolID, level SchoolLevel, class string) Record {
			return Record{Key: RecordKey{"escada", id}, Role: role, GivenName: given, FamilyName: family,
				Memberships: []Membership{{School: school, Level: level, Classes: []string{class}}}}
		}
		first := []Record{
			a("1", "Anna", "Muster", RolePupil, "ps-a", "primary", "6a"),
			a("2", "Anna", "Muster", RolePupil, "ps-a", "primary", "6a"),
			a("3", "Jörg", "Müller", RoleTeacher, "ps-a", "", "6a"), a("4", "Zoé", "Favre", RolePupil, "ss-b", "secondary",
				"7a")}
		second := []Record{
			a("1", "Anna", "Muster", RolePupil, "ss-b", "secondary", "7a"),
			a("2", "Anna", "Muster-Kübler", RolePupil, "ss-b", "secondary", "7a"),
			a("3", "Jörg", "Müller", RoleTeacher, "ps-a", "", "1a"), a("5", "Lia", "Rossi", RolePupil, "ps-a", "primary", "1a")}
		acts := []struct {
			records []Record
			days    int
		}{{first, 0}, {second, 7}, {second, 14}, {second, 70}, {first, 80}, {second, 90}, {second, 150}, {second, 400}}
		// resume says how to go on after the crash: with the same plan, or by
		// looking and planning again.
		resume := false
		year := func(w *world, dead *bool) {
			for _, act := range acts {
				for tries := 0; ; tries++ {
					plan, err := NewPlan(p, w.observe(), delivery(act.records), day0.AddDays(act.days))
					if err != nil {
						t.Fatal(err)
					}
					if plan.Empty() {
						break
					}
					if tries > 4 {
						t.Fatalf("does not come to rest:\n%s", plan.Summary())
					}
					_, err = Apply(context.Background(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword, Parallel: 1})
					if err != nil && !errors.Is(err, errCrash) && !errors.Is(err, ErrGaveUp) {
						t.Fatal(err)
					}
					if *dead && w.fault != nil { // the machine is up again
						w.fault = nil
						if resume {
							res, err := Apply(context.Background(), plan, w.ports(),
								&ApplyOptions{InitialPassword: testPassword, Parallel: 1})
							if err != nil || res.Count(StatusDone) != len(plan.Steps) {
								t.Fatalf("the plan cannot be resumed: %v %+v", err, res.Outcomes)
							}
						}
					}
				}
				w.sound()
			}
		}
		calm := newWorld(t, p)
		year(calm, new(bool))
		want := comparable(calm)
		total := calm.calls
		if total < 50 {
			t.Fatalf("the year has only %d effects", total)
		}
		for n := 1; n <= total; n++ {
			for way := range 4 {
				done := way&1 != 0
				resume = way&2 != 0
				w := newWorld(t, p)
				dead := false
				w.fault = func(i int, what string, after bool) error {
					if i == n && after == done {
						dead = true
					}
					if dead {
						return errCrash
					}
					return nil
				}
				year(w, &dead)
				if diff := cmp.Diff(want, comparable(w)); diff != "" {
					t.Fatalf("grace %d, crash at effect %d (done %v, resume %v): the end differs:\n%s", grace, n, done, resume, diff)
				}
				if !dead {
					t.Fatalf("effect %d never happened", n)
				}
			}
		}
	}
}

var errCrash = errors.New("the machine went down")

// comparable is the end state without what may differ: OX ids and how often
// somebody was notified.
func comparable(w *world) map[string]any {
	m := map[string]any{"boxes": w.boxes, "retired": w.retired}
	for n, a := range w.accounts {
		a.Previous.UserID = 0
		m["account "+n] = a
	}
	for c, x := range w.contexts {
		for n, u := range x.users {
			m[fmt.Sprintf("user %d/%s", c, n)] = fmt.Sprintf("%+v %s", u.spec, u.data)
		}
	}
	return m
}

// TestLostAnswers lets every effect succeed but report an error once: the run
// goes on for others, and the next run ends in the same state.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	var records []Record
	for i := range 4 {
		records = append(records, Record{Key: RecordKey{"escada", fmt.Sprint(i)}, Role: RolePupil, GivenName: "Ida",
			FamilyName:  fmt.Sprint("Abel", i),
			Memberships: []Membership{{School: "ps-a", Level: "primary"}}})
	}
	moved := slices.Clone(records)
	for i := range moved {
		moved[i].Memberships = []Membership{{School: "ss-b", Level: "secondary"}}
	}
	p.Populations[1].Contexts = []ContextID{30}
	for n := 1; n < 200; n++ {
		w := newWorld(t, p)
		w.fault = func(i int, what string, after bool) error {
			if i == n && after && what != "journal" {
				return errors.New("the answer was lost")
			}
			return nil
		}
		for _, rs := range [][]Record{records, moved} {
			for range 3 {
				plan, err := NewPlan(p, w.observe(), delivery(rs), day0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := Apply(context.Background(), plan, w.ports(),
					&ApplyOptions{InitialPassword: testPassword, Parallel: 2}); err != nil {
					t.Fatal(err)
				}
			}
			w.sound()
		}
		if n > w.calls {
			break
		}
	}
}
