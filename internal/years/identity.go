package years

import (
	"fmt"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// Verdict is what became of wrong ids and of real changes.
type Verdict struct {
	Injected map[string]int // wrong ids, by how they are wrong
	Passed   []string       // those after which somebody's account would have changed for somebody else
	Real     int            // changes of real people: names, classes, schools, roles, comings and goings
	Held     []string       // of these, held because it was not certain who they are
}

// Identity lives through school years in which the ids of an export are wrong
// again and again, and plans for each wrong export and for each true one. A wrong
// id passes when the plan changes anything about the account of an id that stands
// for somebody else. births says whether the export has birth dates.
func Identity(seed uint64, people, terms, injections int, births bool) (*Verdict, error) {
	l := NewLife(seed, people)
	l.births = births
	// Guards are about how many; here nobody is held for that.
	all := schoolmail.Limit{SchoolPercent: 100, DistrictPercent: 100, Free: people}
	limits := schoolmail.GuardLimits{Leavers: all, Deactivations: all, Purges: all, Transfers: all}
	l.policy.Guards = schoolmail.Guards{Usual: limits, TermChange: limits}
	for i := range l.policy.Contexts {
		l.policy.Contexts[i].Capacity = people * 2
		l.World.capacity[l.policy.Contexts[i].ID] = people * 2
	}
	v := &Verdict{Injected: map[string]int{}}
	const parts = 12 // in which a year is told
	for part := range terms * parts {
		switch {
		case part == 0:
		case part%parts == 0:
			l.district = l.district.Next(&escadatest.Term{Start: l.district.Today().AddDays(yearDays / parts)})
		default:
			l.district = l.district.Day(yearDays/parts, 8)
		}
		l.World.today = l.district.Today()
		l.policy.TermChanges = []schoolmail.Window{{From: l.World.today, Until: l.World.today}}
		if part > 0 {
			for range (injections + terms*parts - 2) / (terms*parts - 1) {
				if err := l.inject(v); err != nil {
					return nil, err
				}
			}
		}
		if err := l.truly(v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// inject plans once for an export with one more wrong id.
func (l *Life) inject(v *Verdict) error {
	l.lies = nil
	l.Days++
	l.truth.behind, l.truth.there = map[schoolmail.RecordKey]string{}, map[string]bool{}
	rs := l.records()
	for i := range rs {
		l.truth.there[rs[i].Key.ID] = true
	}
	for tries := 0; len(l.lies) == 0; tries++ {
		if tries > 1000 {
			return fmt.Errorf("years: no wrong id can be made up on %s", l.World.today)
		}
		// Only those that give an account's id to somebody else.
		if l.lie(rs); len(l.lies) > 0 && slices.Contains([]string{"re-keyed", "doubled"}, l.lies[0].name) {
			l.lies = nil
		}
	}
	x := l.lies[0]
	d := schoolmail.Delivery{Source: source, Kind: schoolmail.DeliveryFull, Records: l.told(rs)}
	d.Fingerprint = fingerprint(d.Records)
	plan, err := schoolmail.NewPlan(l.policy, l.World.observe(), d, l.World.today)
	if err != nil {
		return err
	}
	v.Injected[x.name]++
	for _, s := range plan.Steps {
		behind, told := l.truth.behind[s.Key]
		if owner := l.World.owner[s.Subject]; told && owner != "" && owner != behind && s.Kind() != schoolmail.KindDropCopy {
			v.Passed = append(v.Passed,
				fmt.Sprintf("%s %s: %s of %s, sent for %s", l.World.today, x.name, s.ID, owner, behind))
		}
	}
	return nil
}

// truly plans for the true export and applies it.
func (l *Life) truly(v *Verdict) error {
	l.lies = nil
	d := l.whole()
	plan, res, err := l.run(d)
	if err != nil {
		return err
	}
	for _, o := range res.Outcomes {
		if o.Status != schoolmail.StatusDone {
			return fmt.Errorf("years: %s: %s %s", o.Step, o.Status, o.Error)
		}
	}
	changed := map[schoolmail.RecordKey]bool{}
	for _, s := range plan.Steps {
		switch s.Kind() {
		case schoolmail.KindChange, schoolmail.KindCreate, schoolmail.KindNotice,
			schoolmail.KindCancelNotice, schoolmail.KindReactivate:
			changed[s.Key] = true
		}
	}
	for _, h := range plan.Held {
		if !changed[h.Step.Key] && h.Guard == "identity" {
			v.Held = append(v.Held, fmt.Sprintf("%s %s: %s", l.World.today, h.Step.ID, h.Why))
		}
		changed[h.Step.Key] = true
	}
	v.Real += len(changed)
	l.World.forget()
	return nil
}

// whole makes the true export of the day.
func (l *Life) whole() schoolmail.Delivery {
	l.truth.behind = map[schoolmail.RecordKey]string{}
	l.truth.there, l.truth.delivered = map[string]bool{}, map[string]bool{}
	rs := l.told(l.records())
	for i := range rs {
		l.truth.there[rs[i].Key.ID], l.truth.delivered[rs[i].Key.ID] = true, true
	}
	d := schoolmail.Delivery{Source: source, Kind: schoolmail.DeliveryFull, Records: rs, Rows: len(rs)}
	d.Fingerprint = fingerprint(rs)
	return d
}
