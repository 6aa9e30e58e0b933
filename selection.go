package schoolmail

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Selection is a part of a plan: whatever fits each of its lists. An empty list fits
// everything, so the zero value is the whole plan.
type Selection struct {
	Schools []SchoolID `json:"schools,omitempty"` // people who are at one of them before or after the step
	Roles   []Role     `json:"roles,omitempty"`
	People  []string   `json:"people,omitempty"` // user names, mail addresses or record ids, in any case
	Kinds   []Kind     `json:"kinds,omitempty"`
}

// Empty reports whether the selection is the whole plan; nil is.
func (s *Selection) Empty() bool {
	return s == nil || len(s.Schools)+len(s.Roles)+len(s.People)+len(s.Kinds) == 0
}

// String says what is selected, for people.
func (s *Selection) String() string {
	if s.Empty() {
		return "everything"
	}
	var parts []string
	add := func(name string, list []string) {
		if len(list) > 0 {
			parts = append(parts, name+" "+strings.Join(list, ", "))
		}
	}
	add("school", words(s.Schools))
	add("role", words(s.Roles))
	add("person", s.People)
	add("kind", words(s.Kinds))
	return strings.Join(parts, "; ")
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = string(t)
	}
	return out
}

// Has reports whether a step belongs to the selection.
func (s *Selection) Has(st *Step) bool {
	if s.Empty() {
		return true
	}
	before, after := st.Action.states()
	return (len(s.Kinds) == 0 || slices.Contains(s.Kinds, st.Kind())) &&
		(len(s.Roles) == 0 || slices.Contains(s.Roles, st.Role)) &&
		(len(s.Schools) == 0 || slices.Contains(s.Schools, st.School) || s.at(before) || s.at(after)) &&
		(len(s.People) == 0 || slices.ContainsFunc(s.People, func(who string) bool {
			return strings.EqualFold(who, st.Subject) || st.Key.called(who) || before.called(who) || after.called(who)
		}))
}

// finding reports whether a finding belongs to the selection.
func (s *Selection) finding(f *Finding) bool {
	switch {
	case s.Empty():
		return true
	case len(s.Roles)+len(s.Kinds) > 0:
		return false
	case len(s.People) > 0:
		return slices.ContainsFunc(s.People, f.Key.called)
	}
	return slices.Contains(s.Schools, f.School)
}

func (s *Selection) at(a *Account) bool {
	return a != nil && slices.ContainsFunc(a.Memberships, func(m Membership) bool {
		return slices.Contains(s.Schools, m.School)
	})
}

// called reports whether it is the key of whom somebody names by record id.
func (k RecordKey) called(who string) bool {
	return k.ID != "" && (strings.EqualFold(who, k.ID) || strings.EqualFold(who, k.String()))
}

// called reports whether it is the account of whom somebody names by an address.
func (a *Account) called(who string) bool {
	return a != nil && strings.Contains(who, "@") && (strings.EqualFold(who, a.Mail) ||
		slices.ContainsFunc(a.Aliases, func(alias string) bool { return strings.EqualFold(who, alias) }))
}

// Only returns the plan limited to some schools or people, for a pilot or a repair.
// Everything was decided on the whole: nobody counts as gone for it, and what a guard
// holds stays held. All steps of a person come along or none, and the contexts that
// they need. Who would need a seat that only a step left out gets free is held.
func (p *Plan) Only(sel Selection) *Plan {
	q := *p
	q.Header.Only, q.Header.LeftOut = &sel, 0
	q.Steps, q.Held, q.Findings = []Step{}, []Held{}, []Finding{}
	chosen := map[RecordKey]bool{}
	for i := range p.Steps {
		if s := &p.Steps[i]; !s.Key.IsZero() && sel.Has(s) {
			chosen[s.Key] = true
		}
	}
	needed := map[string]bool{}
	for i := range p.Steps {
		if s := &p.Steps[i]; chosen[s.Key] {
			for _, id := range s.After {
				needed[id] = true
			}
		}
	}
	for _, h := range p.Held {
		if chosen[h.Step.Key] || sel.Has(&h.Step) {
			q.Held = append(q.Held, h)
		}
	}
	for i := range p.Findings {
		if f := &p.Findings[i]; f.School == "" && f.Key.IsZero() || chosen[f.Key] || sel.finding(f) {
			q.Findings = append(q.Findings, *f)
		}
	}
	q.seatOnly(p, func(s *Step) bool { return chosen[s.Key] || s.Key.IsZero() && needed[s.ID] })
	slices.SortStableFunc(q.Held, func(x, y Held) int { return strings.Compare(x.Step.ID, y.Step.ID) })
	q.Header.ID = q.Fingerprint()
	return &q
}

// seatOnly takes over the steps of a whole plan that belong to a part of it, as seats
// get free.
func (q *Plan) seatOnly(p *Plan, belongs func(*Step) bool) {
	users, room := map[ContextID]int{}, map[ContextID]int{}
	for _, f := range p.Forecast {
		users[f.Context], room[f.Context] = f.Before, f.Capacity
	}
	peak := maps.Clone(users)
	waits := map[RecordKey]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if !belongs(s) {
			q.Header.LeftOut++
			continue
		}
		into, freed := s.Seats()
		full := into != 0 && room[into] > 0 && users[into] >= room[into]
		if waits[s.Key] || full {
			waits[s.Key] = true
			q.Held = append(q.Held, Held{Step: *s, Why: fmt.Sprintf(
				"no seat is free in context %d as long as the other steps of the whole plan are left out", into)})
			continue
		}
		if into != 0 {
			users[into]++
			peak[into] = max(peak[into], users[into])
		}
		if freed != 0 {
			users[freed]--
		}
		q.Steps = append(q.Steps, *s)
	}
	q.Forecast = slices.Clone(p.Forecast)
	for i := range q.Forecast {
		f := &q.Forecast[i]
		f.Peak, f.After = peak[f.Context], users[f.Context]
	}
}
