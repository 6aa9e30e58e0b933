package schoolmail

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The defaults that [Policy.WithDefaults] fills in.
const (
	DefaultNoticeDays       = 56 // eight weeks
	DefaultPurgeDays        = 180
	DefaultTransferGrace    = 14
	DefaultCapacity         = 8000
	DefaultMaxUsername      = 20
	DefaultMaxPupilUsername = 15
	DefaultGuardWindowDays  = 7
	DefaultCollapsePercent  = 50
)

// usualLimits and termLimits are sized for a district that changes 10 % of its
// people per term and a fraction of a percent on an ordinary day. Deactivations
// and purges follow notices that were limited when they were sent, but weeks
// later, on an ordinary day.
var (
	usualLimits = GuardLimits{
		Leavers:       Limit{SchoolPercent: 5, DistrictPercent: 2, Free: 3},
		Deactivations: Limit{SchoolPercent: 45, DistrictPercent: 20, Free: 5},
		Purges:        Limit{SchoolPercent: 45, DistrictPercent: 20, Free: 5},
		Transfers:     Limit{SchoolPercent: 5, DistrictPercent: 2, Free: 3},
		Roles:         Limit{SchoolPercent: 5, DistrictPercent: 1, Free: 2},
		PupilRoles:    Limit{Free: 1},
		Classes:       Limit{SchoolPercent: 20, DistrictPercent: 5, Free: 10},
		Details:       Limit{SchoolPercent: 10, DistrictPercent: 5, Free: 5},
	}
	// At the end of a school year the oldest third of a secondary school leaves.
	termLimits = GuardLimits{
		Leavers:       Limit{SchoolPercent: 45, DistrictPercent: 20, Free: 5},
		Deactivations: Limit{SchoolPercent: 45, DistrictPercent: 20, Free: 5},
		Purges:        Limit{SchoolPercent: 45, DistrictPercent: 20, Free: 5},
		Transfers:     Limit{SchoolPercent: 60, DistrictPercent: 35, Free: 5},
		Roles:         Limit{SchoolPercent: 10, DistrictPercent: 3, Free: 3},
		PupilRoles:    Limit{Free: 1},
		Classes:       Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 10},
		Details:       Limit{SchoolPercent: 30, DistrictPercent: 20, Free: 5},
	}
)

// WithDefaults returns a copy in which everything left at zero has its default.
func (p Policy) WithDefaults() Policy {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&p.LifeCycle.NoticeDays, DefaultNoticeDays)
	def(&p.LifeCycle.PurgeDays, DefaultPurgeDays)
	def(&p.LifeCycle.TransferGraceDays, DefaultTransferGrace)
	def(&p.Naming.MaxUsername, DefaultMaxUsername)
	def(&p.Naming.MaxPupilUsername, DefaultMaxPupilUsername)
	def(&p.Guards.WindowDays, DefaultGuardWindowDays)
	def(&p.Guards.CollapsePercent, DefaultCollapsePercent)
	if p.Guards.Usual == (GuardLimits{}) {
		p.Guards.Usual = usualLimits
	}
	if p.Guards.TermChange == (GuardLimits{}) {
		p.Guards.TermChange = termLimits
	}
	p.Guards.Usual.defaults(&usualLimits)
	p.Guards.TermChange.defaults(&termLimits)
	p.Contexts = slices.Clone(p.Contexts)
	for i := range p.Contexts {
		def(&p.Contexts[i].Capacity, DefaultCapacity)
	}
	return p
}

// defaults fills in the limits of changes that are left at zero.
func (g *GuardLimits) defaults(d *GuardLimits) {
	for _, l := range []struct{ limit, def *Limit }{
		{&g.Roles, &d.Roles}, {&g.PupilRoles, &d.PupilRoles}, {&g.Classes, &d.Classes}, {&g.Details, &d.Details},
	} {
		if *l.limit == (Limit{}) {
			*l.limit = *l.def
		}
	}
}

// Validate reports all mistakes of a policy (after defaults) joined into one
// error, or nil.
func (p Policy) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("policy: "+format, a...)) }
	if p.Source == "" {
		bad("source is empty: expected the name of the source system")
	}
	known := p.validateContexts(bad)
	p.validatePopulations(bad, known)
	p.validateTimes(bad)
	p.validateGuards(bad)
	p.validateSchools(bad)
	p.validatePairs(bad)
	return errors.Join(errs...)
}

// validateContexts returns the contexts that are declared.
func (p Policy) validateContexts(bad func(string, ...any)) map[ContextID]bool {
	known := map[ContextID]bool{}
	names := map[string]ContextID{}
	for _, c := range p.Contexts {
		switch {
		case c.ID <= 0:
			bad("context %q: id %d: expected a positive number", c.Name, c.ID)
		case known[c.ID]:
			bad("context %d is declared twice", c.ID)
		}
		known[c.ID] = true
		if c.Name == "" {
			bad("context %d: name is empty", c.ID)
		} else if o, dup := names[c.Name]; dup {
			bad("context %d: name %q is already that of context %d", c.ID, c.Name, o)
		}
		names[c.Name] = c.ID
		if c.Capacity < 2 {
			bad("context %d: capacity %d: expected at least 2 (the administrator takes one seat)", c.ID, c.Capacity)
		}
		if c.Headroom < 0 || c.Headroom >= max(c.Capacity, 1) {
			bad("context %d: headroom %d: expected 0 to capacity-1", c.ID, c.Headroom)
		}
	}
	return known
}

func (p Policy) validatePopulations(bad func(string, ...any), known map[ContextID]bool) {
	if len(p.Populations) == 0 {
		bad("no populations: nobody would get an account")
	}
	pops := map[string]bool{}
	for i, q := range p.Populations {
		what := fmt.Sprintf("population %q", q.Name)
		if q.Name == "" {
			what = fmt.Sprintf("population number %d", i+1)
			bad("%s: name is empty", what)
		} else if pops[q.Name] {
			bad("%s is declared twice", what)
		}
		pops[q.Name] = true
		if len(q.Roles) == 0 {
			bad("%s: no roles", what)
		}
		for _, r := range q.Roles {
			if !r.Valid() {
				bad("%s: role %q: expected pupil, teacher or staff", what, r)
			}
		}
		if len(q.Contexts) == 0 {
			bad("%s: no contexts", what)
		}
		for _, c := range q.Contexts {
			if !known[c] {
				bad("%s: context %d is not declared", what, c)
			}
		}
		if !strings.Contains(q.Domain, ".") || q.Domain != strings.ToLower(q.Domain) || strings.ContainsAny(q.Domain, "@ _") {
			bad("%s: domain %q: expected a mail domain in lower case", what, q.Domain)
		}
		if q.Access == "" {
			bad("%s: access is empty: expected an OX access combination such as %q", what, "groupware_standard")
		}
	}
}

func (p Policy) validateTimes(bad func(string, ...any)) {
	if n := p.LifeCycle.NoticeDays; n < DefaultNoticeDays {
		bad("life_cycle: notice_days %d: at least %d are promised to leavers", n, DefaultNoticeDays)
	}
	for i, n := range p.LifeCycle.RemindDays {
		if n < 1 || n >= max(p.LifeCycle.NoticeDays, DefaultNoticeDays) || slices.Contains(p.LifeCycle.RemindDays[:i], n) {
			bad("life_cycle: remind_days %d: expected days before the deactivation, each once, from 1 to %d, the day "+
				"after the notice", n, max(p.LifeCycle.NoticeDays, DefaultNoticeDays)-1)
		}
	}
	if n := p.LifeCycle.PurgeDays; n < 1 {
		bad("life_cycle: purge_days %d: expected at least 1", n)
	}
	if n := p.LifeCycle.TransferGraceDays; n < -1 {
		bad("life_cycle: transfer_grace_days %d: expected a number of days, or -1 for none", n)
	}
	if n := p.Naming.MaxPupilUsername; n < 5 || n > p.Naming.MaxUsername || p.Naming.MaxUsername > 64 {
		bad("naming: max_pupil_username %d, max_username %d: expected 5 <= pupil <= user <= 64", n, p.Naming.MaxUsername)
	}
	p.validateNaming(bad)
	p.checkRenames(bad)
	if g := p.Guards; g.WindowDays < 1 || g.CollapsePercent < 1 || g.CollapsePercent > 100 {
		bad("guards: window_days %d, collapse_percent %d: expected at least one day, and 1 to 100 percent", g.WindowDays,
			g.CollapsePercent)
	}
	for _, w := range p.TermChanges {
		if w.From.IsZero() || w.Until < w.From {
			bad("term change %q: from %q until %q: expected two days in order", w.Name, w.From, w.Until)
		}
	}
}

func (p Policy) validateGuards(bad func(string, ...any)) {
	for _, g := range []struct {
		name string
		GuardLimits
	}{{"usual", p.Guards.Usual}, {"term_change", p.Guards.TermChange}} {
		for _, l := range []struct {
			name string
			Limit
		}{{"leavers", g.Leavers}, {"deactivations", g.Deactivations}, {"purges", g.Purges}, {"transfers", g.Transfers},
			{"roles", g.Roles}, {"pupil_roles", g.PupilRoles}, {"classes", g.Classes}, {"details", g.Details}} {
			if l.SchoolPercent < 0 || l.SchoolPercent > 100 || l.DistrictPercent < 0 || l.DistrictPercent > 100 || l.Free < 0 {
				bad("guards.%s.%s: expected percentages from 0 to 100 and free from 0", g.name, l.name)
			}
		}
	}
	for i, o := range p.Overrides {
		if !slices.Contains(guardNames, o.Guard) {
			bad("override number %d: guard %q: expected one of %s", i+1, o.Guard, strings.Join(guardNames, ", "))
		}
		if o.By == "" || o.Reason == "" || o.Until.IsZero() {
			bad("override number %d: by, reason and until must be given", i+1)
		}
	}
}

func (p Policy) validateSchools(bad func(string, ...any)) {
	schools := map[SchoolID]bool{}
	for i, x := range p.Schools {
		switch {
		case x.ID == "" || schools[x.ID]:
			bad("school number %d: id %q: expected one that is not empty and comes once", i+1, x.ID)
		case slices.Contains(x.Formerly, x.ID):
			bad("school number %d: %q was formerly itself", i+1, x.ID)
		}
		schools[x.ID] = true
	}
}

// validatePairs checks links and distincts: each record id leads to one account.
func (p Policy) validatePairs(bad func(string, ...any)) {
	links := map[string]string{}
	for i, l := range p.Links {
		what := fmt.Sprintf("link number %d", i+1)
		switch {
		case l.Old == "" || l.New == "" || l.By == "" || l.Reason == "":
			bad("%s: old, new, by and reason must be given", what)
		case l.Old == l.New && l.Until.IsZero():
			bad("%s: old and new are the same id: until must be given", what)
		case l.Old != l.New:
			if _, dup := links[l.New]; dup {
				bad("%s: the new id is in another link already", what)
			}
			links[l.New] = l.Old
		}
	}
	p.checkRekeyings(bad)
	p.checkCircles(bad)
	p.checkHolds(bad)
	ids := map[string]bool{}
	for i, s := range p.Spellings {
		what := fmt.Sprintf("spelling number %d", i+1)
		switch {
		case s.ID == "" || ids[s.ID]:
			bad("%s: expected the id of a record, in one spelling only", what)
		case !isASCII(s.GivenName+s.FamilyName) || foldASCII(s.GivenName, "") == "" || foldASCII(s.FamilyName, "") == "":
			bad("%s: expected a given and a family name in the letters a to z", what)
		}
		ids[s.ID] = true
	}
	for r, rule := range p.Classes {
		if !r.Valid() || !slices.Contains([]ClassRule{ClassesAlways, ClassesWhereSent, ClassesNever}, rule) {
			bad("classes of %q: %q: expected %q, %q or %q for a role", r, rule, ClassesAlways, ClassesWhereSent, ClassesNever)
		}
	}
	for i, d := range p.Distinct {
		if d.A == "" || d.B == "" || d.A == d.B || d.By == "" || d.Reason == "" {
			bad("distinct number %d: two different ids a and b, by and reason must be given", i+1)
		}
	}
}

// population returns the first population that matches a membership of today.
func (p *Policy) population(role Role, ms []Membership) *Population {
	if i := p.populationIndex(role, ms); i >= 0 {
		return &p.Populations[i]
	}
	return nil
}

// populationIndex returns the number of the population, or -1.
func (p *Policy) populationIndex(role Role, ms []Membership) int {
	return among(p.Populations, role, ms)
}

// among returns the number of the population that takes somebody, or -1.
func among(populations []Population, role Role, ms []Membership) int {
	for i := range populations {
		q := &populations[i]
		if !slices.Contains(q.Roles, role) {
			continue
		}
		for j := range ms {
			if m := &ms[j]; (len(q.Levels) == 0 || slices.Contains(q.Levels, m.Level)) &&
				(len(q.Schools) == 0 || slices.Contains(q.Schools, m.School)) {
				return i
			}
		}
	}
	return -1
}

func (p *Policy) context(id ContextID) *ContextSpec {
	for i := range p.Contexts {
		if p.Contexts[i].ID == id {
			return &p.Contexts[i]
		}
	}
	return nil
}
