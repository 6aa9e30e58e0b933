package schoolmail

import "fmt"

// While the database of a context is being updated nobody sees who is in it, and
// nothing there can be changed. Its people, places and seats count as unchanged and
// full until a later run; what concerns others goes on.

// presume takes it that everybody has the user that the directory names in a context
// whose users could not be read.
func (f *facts) presume(home []lodging) {
	for _, c := range f.state.Contexts {
		if c.Updating {
			if f.updating == nil {
				f.updating = map[ContextID]int{}
			}
			f.updating[c.ID] = 0
		}
	}
	if len(f.updating) == 0 {
		return
	}
	user := func(a *Account, c ContextID, id UserID) *Place {
		f.updating[c]++
		return &Place{Context: c, UserID: id, Username: a.Username, Mail: a.Mail, DisplayName: a.DisplayName,
			GivenName: a.GivenName, FamilyName: a.FamilyName, MailEnabled: a.State != Deactivated}
	}
	for _, r := range f.sorted.accounts {
		a := &f.state.Accounts[r.at]
		if f.beingUpdated(a.Context) != "" && a.Key.Source == f.policy.Source {
			p := user(a, a.Context, 0)
			home[r.at] = lodging{p, agrees(p, a)}
		}
		if c := a.Previous.Context; f.beingUpdated(c) != "" && c != a.Context && a.Key.Source == f.policy.Source {
			f.elsewhere[a.Username] = append(f.elsewhere[a.Username], user(a, c, a.Previous.UserID))
		}
	}
	for _, c := range sortedIDs(f.updating) {
		f.find("being-updated", "%s: %s with a place or an old copy there are left as they are", f.beingUpdated(c),
			people(f.updating[c]))
	}
}

// beingUpdated says that nothing of a context can be changed now, or "".
func (f *facts) beingUpdated(c ContextID) string {
	if _, yes := f.updating[c]; !yes {
		return ""
	}
	return fmt.Sprintf("the database of context %d is being updated", c)
}

// untouchable says why nothing can be done now that touches what a step touches, or "".
func (f *facts) untouchable(s *Step) string {
	before, after := s.Action.states()
	for _, a := range [2]*Account{before, after} {
		if a != nil && f.beingUpdated(a.Context) != "" {
			return f.beingUpdated(a.Context)
		}
	}
	from, to := s.Action.move()
	if why := f.beingUpdated(from); why != "" {
		return why
	}
	return f.beingUpdated(to)
}

// untouched holds whatever would touch a context that is being updated. The limits
// have counted it before: what waits for tomorrow is no less than it is.
func (g *guarded) untouched() {
	if len(g.updating) == 0 {
		return
	}
	for _, steps := range []*[]Step{&g.steps, &g.frees} {
		kept := (*steps)[:0:0]
		for i := range *steps {
			s := &(*steps)[i]
			if why := g.untouchable(s); why != "" {
				g.keep(*s, "", why)
				continue
			}
			kept = append(kept, *s)
		}
		*steps = kept
	}
	for i := range g.seats.claims {
		c := g.seats.claims[i]
		if c.before == nil || g.claims[c.key] {
			continue
		}
		why := g.beingUpdated(c.before.Context)
		if why == "" && c.restore {
			why = g.beingUpdated(c.before.Previous.Context)
		}
		if why == "" {
			continue
		} else if c.stays() {
			g.claims[c.key] = true
		} else {
			g.keepClaim(c, "", why)
		}
	}
}

// uncopied holds what needs a copy of a user where users cannot be copied.
func (g *guarded) uncopied() {
	if g.state.NoCopies == "" {
		return
	}
	g.find("no-copies", "%s: nobody can be transferred into another context", g.state.NoCopies)
	for i := range g.seats.claims {
		if c := g.seats.claims[i]; c.restore || c.transfers() && !c.stays() {
			g.keepClaim(c, "", g.state.NoCopies)
		}
	}
}
