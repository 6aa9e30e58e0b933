package years

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

const (
	source     = "escada"
	noticeDays = 56
	purgeDays  = 180
	yearDays   = 364 // the school year of escadatest
	stranger   = "a stranger"
)

// Life is a district that lives from day to day.
type Life struct {
	World  *World
	Days   int // lived so far
	Plans  int // made so far
	Steps  int // planned so far
	Lies   map[string]int
	Spoilt int // users in OX that somebody has deleted or changed
	// Proposed counts accounts of a living site that were proposed for somebody.
	Proposed int

	more      *rand.Rand // for what came later, so that a seed's days stay what they were
	spoils    *rand.Rand // for what is spoilt in OX
	filled    column
	calm      int                             // the day until which no id is wrong
	strange   map[string]schoolmail.RecordKey // accounts that have lost their record ids
	takenOver int                             // the day on which they are taken over

	rng      *rand.Rand
	policy   schoolmail.Policy
	births   bool // whether the export has birth dates
	district *escadatest.District
	lies     []lie
	truth    *truth
	trace    func(*schoolmail.Plan) // hears of every plan; nil: nobody
}

// NewLife makes the district of a seed. Every other one has birth dates in its
// export, and in every other one old copies are kept.
func NewLife(seed uint64, people int) *Life {
	l := &Life{rng: rand.New(rand.NewPCG(seed, 9)), births: seed%2 == 0, Lies: map[string]int{},
		more: rand.New(rand.NewPCG(seed, 10)), spoils: rand.New(rand.NewPCG(seed, 11)),
		strange: map[string]schoolmail.RecordKey{}}
	l.district = escadatest.NewDistrict(seed, &escadatest.Options{People: people, Schools: 5, Source: source})
	grace := -1
	if seed/2%2 == 0 {
		grace = 14
	}
	l.policy = policy(people, grace, l.district.Today())
	l.truth = &truth{}
	l.World = newWorld(&l.policy, l.truth)
	return l
}

// policy gives every population two contexts, of which they share one, with
// little more room than they need.
func policy(people, grace int, start schoolmail.Date) schoolmail.Policy {
	p := schoolmail.Policy{
		Source: source,
		Populations: []schoolmail.Population{
			{Name: "staff", Roles: []schoolmail.Role{schoolmail.RoleTeacher, schoolmail.RoleStaff},
				Contexts: []schoolmail.ContextID{10}, Domain: "school.example", Access: "groupware_standard"},
			{Name: "primary", Roles: []schoolmail.Role{schoolmail.RolePupil},
				Levels:   []schoolmail.SchoolLevel{escadatest.Primary},
				Contexts: []schoolmail.ContextID{20, 21}, Domain: "pupils.example", Access: "webmail"},
			{Name: "secondary", Roles: []schoolmail.Role{schoolmail.RolePupil},
				Contexts: []schoolmail.ContextID{21, 30}, Domain: "pupils.example", Access: "pim"},
		},
		Contexts: []schoolmail.ContextSpec{
			{ID: 10, Name: "staff", Capacity: people / 4, Headroom: 2},
			{ID: 20, Name: "primary", Capacity: people * 45 / 100, Headroom: 5},
			{ID: 21, Name: "both", Capacity: people * 30 / 100, Headroom: 5},
			{ID: 30, Name: "secondary", Capacity: people * 35 / 100, Headroom: 5},
		},
		LifeCycle: schoolmail.LifeTimes{NoticeDays: noticeDays, PurgeDays: purgeDays, TransferGraceDays: grace},
	}
	for year := range 60 {
		day := start.AddDays(year * yearDays)
		p.TermChanges = append(p.TermChanges, schoolmail.Window{From: day.AddDays(-3), Until: day.AddDays(14)})
	}
	return p
}

// chance is true n times in a thousand.
func (l *Life) chance(n int) bool { return l.rng.IntN(1000) < n }

func pick[T any](r *rand.Rand, s []T) T { return s[r.IntN(len(s))] }

// Day lives one day.
func (l *Life) Day() error {
	if l.Days > 0 {
		switch {
		case l.Days%yearDays == 0:
			l.district = l.district.Next(&escadatest.Term{Start: l.district.Today().AddDays(1)})
		case l.chance(150) && len(l.strange) == 0: // one each joins, leaves, moves and gets another name
			l.district = l.district.Day(1, 4000/l.district.Len())
		default:
			l.district = l.district.Day(1, 0)
		}
	}
	l.Days++
	w := l.World
	w.today = l.district.Today()
	l.others()
	w.counts()
	d, spoilt := l.export()
	quiet := !l.chance(150)
	w.fault = nil
	if !quiet {
		w.fault = l.trouble()
	}
	if len(l.strange) > 0 && l.Days >= l.takenOver {
		if err := l.takeOver(&d); err != nil {
			return err
		}
	}
	if quiet && l.more.IntN(1000) < 20 {
		if err := l.computed(d); err != nil {
			return err
		}
	}
	plan, res, err := l.run(d)
	if plan == nil {
		return err
	}
	if !quiet && l.chance(500) { // the same plan again, or the next day's
		w.fault = nil
		if _, err := schoolmail.Apply(context.Background(), plan, w.ports(), w.options()); err != nil {
			w.Harm.add(Refused, fmt.Sprint(w.today, " again: ", err))
		}
	}
	w.fault = nil
	if quiet {
		if err != nil {
			w.Harm.add(Refused, fmt.Sprint(w.today, ": ", err))
		}
		for _, o := range res.Outcomes {
			if o.Status != schoolmail.StatusDone {
				w.Harm.add(Refused, fmt.Sprint(w.today, " ", o.Step, ": ", o.Status, " ", o.Error))
			}
		}
		l.after(plan, &d, spoilt)
	}
	l.check(quiet)
	l.rights()
	w.forget()
	return nil
}

// others do something beside us on some days.
func (l *Life) others() {
	if l.chance(60) {
		l.meddle()
	}
	if l.quietly() && l.Days > 40 && l.Days%yearDays < yearDays-6 && l.more.IntN(1000) < 8 {
		l.estrange()
	}
	if l.Days > 20 && l.spoils.IntN(1000) < 40 {
		l.wreck(1 + l.spoils.IntN(7))
	}
}

// quietly reports whether nothing is wrong about people just now.
func (l *Life) quietly() bool { return len(l.lies) == 0 && l.filled.what == "" && len(l.strange) == 0 }

func (w *World) options() *schoolmail.ApplyOptions {
	night := w.today.Time().Add(3 * time.Hour)
	return &schoolmail.ApplyOptions{Parallel: 1, Clock: func() time.Time { return night },
		InitialPassword: func(schoolmail.Account) (schoolmail.Secret, error) { return "initial", nil }}
}

// run plans and applies once.
func (l *Life) run(d schoolmail.Delivery) (*schoolmail.Plan, *schoolmail.Result, error) {
	l.Plans++
	plan, err := schoolmail.NewPlan(l.policy, l.World.observe(), d, l.World.today)
	if err != nil {
		l.World.Harm.add(Refused, fmt.Sprint(l.World.today, ": ", err))
		return nil, nil, err
	}
	l.Steps += len(plan.Steps)
	if l.trace != nil {
		l.trace(plan)
	}
	res, err := schoolmail.Apply(context.Background(), plan, l.World.ports(), l.World.options())
	if errors.Is(err, errCut) || errors.Is(err, schoolmail.ErrGaveUp) {
		err = nil
	}
	return plan, res, err
}

// meddle lets an operator do something beside us.
func (l *Life) meddle() {
	w := l.World
	names := slices.Sorted(maps.Keys(w.accounts))
	if len(names) == 0 {
		return
	}
	name := pick(l.rng, names)
	a := w.accounts[name]
	switch l.rng.IntN(4) {
	case 0:
		a.Held = true
		w.accounts[name] = a
	case 1:
		for _, n := range names {
			if a := w.accounts[n]; a.Held {
				a.Held = false
				w.accounts[n] = a
			}
		}
	case 2: // an old copy is cleared away by hand
		if x := w.contexts[a.Previous.Context]; x != nil && !a.Held && a.Previous.Context != a.Context {
			if _, stands := w.contexts[a.Context].users[name]; stands {
				delete(x.users, name)
			}
		}
	case 3: // a guest gets a user in OX
		c := pick(l.rng, slices.Sorted(maps.Keys(w.contexts)))
		guest := fmt.Sprint("guest", l.Days)
		if x := w.contexts[c]; len(x.users) < w.capacity[c] && l.chance(200) {
			x.users[guest] = user{id: x.next, data: stranger, spec: schoolmail.UserSpec{Username: guest, DisplayName: guest}}
			x.next++
		}
	}
}

// trouble makes the servers fail in one of three ways: all of them from some
// effect on, one effect before or after it happened, or one kind of effect always.
func (l *Life) trouble() func(string, bool) error {
	n, after, way := l.rng.IntN(12), l.chance(500), l.rng.IntN(3)
	kind := pick(l.rng, []string{"copy-user", "ensure-user", "change-account", "notify",
		"ensure-mailbox", "delete-user", "look"})
	down := false
	return func(what string, done bool) error {
		if way == 2 {
			if what == kind && done == after {
				return errCut
			}
			return nil
		}
		if what != "look" && what != "journal" && done == after {
			n--
		}
		hit := n == -1 && !down && done == after
		if hit && way == 0 {
			down = true
		}
		if down || hit && way == 1 && what != "journal" {
			if way == 1 {
				n-- // once
			}
			return errCut
		}
		return nil
	}
}

// records are the people of the day as a true export has them, and behind each
// of them who it is.
func (l *Life) records() []schoolmail.Record {
	rs := l.district.Records()
	for i := range rs {
		if l.births {
			rs[i].Traits = schoolmail.Traits{Birth: birth(rs[i].Key.ID)}
		}
	}
	return rs
}

// birth is the keyed hash of the birth date of somebody; some share it.
func birth(who string) string {
	h := fnv.New32a()
	h.Write([]byte(who))
	return fmt.Sprintf("%04x", h.Sum32()%3000)
}

// check looks at everybody at the end of a day.
func (l *Life) check(quiet bool) {
	w := l.World
	today := 0
	week := 0
	for _, n := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[n]
		if a.NoticedOn == w.today {
			today++
		}
		if !a.NoticedOn.IsZero() && w.today.Sub(a.NoticedOn) < 7 {
			week++
		}
		if a.State == schoolmail.Pending || !quiet || a.Key.IsZero() || a.Context == 0 {
			continue
		}
		who := w.owner[n]
		u, ok := w.contexts[a.Context].users[n]
		if ok && u.data != who || w.mail[n] != who && !(w.mail[n] == "" && a.State == schoolmail.Deactivated) {
			w.Harm.add(DataLost, fmt.Sprint(w.today, " ", n, " in context ", a.Context))
		}
		gone := a.State == schoolmail.Deactivated && w.today.Sub(a.Deactivated) >= purgeDays // a purge that was cut off
		if !ok && !gone && !a.Held && !w.broken[n] {
			w.Harm.add(DataLost, fmt.Sprint(w.today, " ", n, " has no user in context ", a.Context))
		}
	}
	term := slices.ContainsFunc(l.policy.TermChanges, func(t schoolmail.Window) bool {
		return t.From <= w.today && w.today <= t.Until
	})
	if limit := max(3, len(w.accounts)*2/100); today > 0 && !term && week > limit {
		w.Harm.add(OverLimit, fmt.Sprint(w.today, ": ", week, " notices in a week, ", limit, " are allowed"))
	}
}

// after checks what must hold when a plan was applied on a day without faults.
func (l *Life) after(plan *schoolmail.Plan, d *schoolmail.Delivery, spoilt bool) {
	w := l.World
	if l.chance(300) {
		l.Plans++
		again, err := schoolmail.NewPlan(l.policy, w.observe(), *d, w.today)
		if err != nil {
			w.Harm.add(Refused, fmt.Sprint(w.today, ": ", err))
			return
		}
		// Where some wait for a seat, those that the first run has freed are given away now.
		short := slices.ContainsFunc(plan.Held, func(h schoolmail.Held) bool { return h.Guard == "" })
		if len(again.Steps) > 0 && !short {
			if l.trace != nil {
				l.trace(again)
			}
			w.Harm.add(SecondRun, fmt.Sprint(w.today, ": ", again.Steps[0].ID, " and others, ", len(again.Steps)))
		}
	}
	if spoilt {
		return
	}
	excused := map[schoolmail.RecordKey]bool{}
	for _, h := range plan.Held {
		excused[h.Step.Key] = true
	}
	for _, f := range plan.Findings {
		excused[f.Key] = true
	}
	byKey := map[schoolmail.RecordKey]*schoolmail.Account{}
	for _, n := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[n]
		byKey[a.Key] = &a
	}
	for i := range d.Records {
		r := &d.Records[i]
		a := byKey[r.Key]
		if excused[r.Key] || a != nil && a.Held {
			continue
		}
		if a == nil || a.State != schoolmail.Active || !slices.Contains(l.allowed(r), a.Context) {
			w.Harm.add(WrongPlace, fmt.Sprintf("%s record %s: %+v, old copies %v", w.today, r.Key.ID, a,
				l.policy.LifeCycle.TransferGraceDays > 0))
		}
	}
}

// allowed lists the contexts of a record's population.
func (l *Life) allowed(r *schoolmail.Record) []schoolmail.ContextID {
	for _, p := range l.policy.Populations {
		level := len(p.Levels) == 0 || slices.ContainsFunc(r.Memberships, func(m schoolmail.Membership) bool {
			return slices.Contains(p.Levels, m.Level)
		})
		if level && slices.Contains(p.Roles, r.Role) {
			return p.Contexts
		}
	}
	return nil
}
