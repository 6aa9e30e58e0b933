package years

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// change is something about an account that was changed: what a limit is about.
type change struct {
	day    schoolmail.Date
	who    string // user name
	what   string
	school schoolmail.SchoolID // as before
	role   schoolmail.Role
}

// headcount is how many there were of a school and role.
type headcount map[[2]string]int

// note puts down what a change of an active account is about.
func (w *World) note(before, after *schoolmail.Account) {
	active := before.State == schoolmail.Active && after.State == schoolmail.Active
	if before.State != after.State || before.Context == 0 { // set right on the way: closed, taken over, seated
		w.touched[after.Username] = w.today
	}
	if before.Key.IsZero() || !active || before.Context == 0 {
		return
	}
	add := func(what string, differs bool) {
		if !differs {
			return
		}
		c := change{w.today, after.Username, what, "", before.Role}
		if len(before.Memberships) > 0 {
			c.school = before.Memberships[0].School
		}
		w.changes = append(w.changes, c)
	}
	add("role", before.Role != after.Role)
	if before.GivenName != after.GivenName || before.FamilyName != after.FamilyName || before.Role != after.Role ||
		before.DisplayName != after.DisplayName || before.Language != after.Language || before.Access != after.Access {
		w.touched[after.Username] = w.today
	}
	add("name", before.GivenName != after.GivenName || before.FamilyName != after.FamilyName)
	add("private mail", before.NoticeMail != after.NoticeMail)
	add("language", before.Language != after.Language)
	add("birth date", before.Traits.Birth != "" && before.Traits.Birth != after.Traits.Birth)
	add("telephone", before.Phone != after.Phone)
	add("access", before.Access != after.Access && before.Access != "" && before.Context == after.Context)
	_, stood := w.contexts[before.Context].users[after.Username] // without a user nothing is moved: that is a repair
	add("transfer", before.Context != after.Context && stood)
	stays, lost, other := false, false, false
	for _, m := range before.Memberships {
		i := slices.IndexFunc(after.Memberships, func(o schoolmail.Membership) bool { return o.School == m.School })
		stays, lost = stays || i >= 0, lost || i < 0
		other = other || i >= 0 && !slices.Equal(after.Memberships[i].Classes, m.Classes)
	}
	add("school", !stays && len(before.Memberships) > 0)
	add("one of several schools", stays && lost)
	add("class", other)
}

// done puts down what was done to somebody in OX alone.
func (w *World) done(what string, a *schoolmail.Account) {
	c := change{w.today, a.Username, what, "", a.Role}
	if len(a.Memberships) > 0 {
		c.school = a.Memberships[0].School
	}
	w.changes = append(w.changes, c)
}

// repaired puts down that a user whom somebody has spoilt is as the directory says again.
func (w *World) repaired(name string, missing bool) {
	if a := w.accounts[name]; w.broken[name] {
		w.done("repair", &a)
		delete(w.broken, name)
		if missing {
			delete(w.touched, name)
		}
	}
}

// dropped puts down that an old copy was deleted whose account stays.
func (w *World) dropped(c schoolmail.ContextID, name string) {
	a, ok := w.accounts[name]
	if ok && w.grace && c != a.Context && c == a.Previous.Context && a.State != schoolmail.Deactivated {
		w.done("old copy", &a)
	}
}

// wreck lets somebody beside us delete users in OX, or change their names; nobody's whose
// copy stands somewhere.
func (l *Life) wreck(n int) {
	w := l.World
	names := slices.Sorted(maps.Keys(w.accounts))
	for range n {
		name := pick(l.spoils, names)
		a := w.accounts[name]
		stands := 0
		for _, x := range w.contexts {
			if _, ok := x.users[name]; ok {
				stands++
			}
		}
		if a.Key.IsZero() || a.State != schoolmail.Active || a.Context == 0 || a.Held || stands != 1 ||
			a.Previous != (schoolmail.Previous{}) || w.broken[name] {
			continue
		}
		users := w.contexts[a.Context].users
		u, ok := users[name]
		if !ok {
			continue
		}
		w.broken[name] = true
		if l.Spoilt++; l.spoils.IntN(2) == 0 {
			delete(users, name)
			continue
		}
		u.spec.DisplayName += " of " + name
		users[name] = u
	}
}

// limit is what the policy allows of something for a role.
func (l *Life) limit(what string, role schoolmail.Role, term bool) schoolmail.Limit {
	g := l.policy.WithDefaults().Guards.Usual
	if term {
		g = l.policy.WithDefaults().Guards.TermChange
	}
	switch what {
	case "repair":
		return schoolmail.Limit{SchoolPercent: 5, DistrictPercent: 2, Free: 5}
	case "old copy":
		return l.policy.WithDefaults().Guards.TermChange.Transfers
	case "role":
		if role == schoolmail.RolePupil {
			return g.PupilRoles
		}
		return g.Roles
	case "name":
		return schoolmail.Limit{SchoolPercent: 10, DistrictPercent: 3, Free: 5}
	case "class":
		return g.Classes
	case "private mail", "language", "telephone", "birth date":
		return g.Details
	}
	return g.Transfers
}

// counts adds how many people each school has today to what is remembered.
func (w *World) counts() {
	n := headcount{}
	for _, a := range w.accounts {
		if a.Key.IsZero() || a.State == schoolmail.Pending {
			continue
		}
		n[[2]string{"", ""}]++
		if len(a.Memberships) > 0 {
			n[[2]string{string(a.Memberships[0].School), string(a.Role)}]++
		}
	}
	w.heads = append(w.heads, n)
	if len(w.heads) > 60 {
		w.heads = w.heads[len(w.heads)-60:]
	}
}

// rights checks, from what was really changed, that no more was within the window than
// the limits allow: for each school and role, and for the district.
func (l *Life) rights() {
	w := l.World
	window, term := 7, false
	for _, t := range l.policy.TermChanges {
		if t.From <= w.today && w.today <= t.Until {
			window, term = max(window, w.today.Sub(t.From)+1), true
		}
	}
	w.changes = slices.DeleteFunc(w.changes, func(c change) bool { return w.today.Sub(c.day) >= 60 })
	most := func(school, role string) int {
		n := 0
		for _, h := range w.heads[max(0, len(w.heads)-window-1):] {
			n = max(n, h[[2]string{school, role}])
		}
		return n
	}
	type group struct {
		what   string
		school schoolmail.SchoolID
		role   schoolmail.Role
	}
	seen := map[[2]string]bool{}
	n, all := map[group]int{}, map[string]int{}
	now, nowAll := map[group]bool{}, map[string]bool{}
	for _, c := range w.changes {
		if w.today.Sub(c.day) >= window || c.what == "repair" && w.touched[c.who] == c.day {
			continue
		}
		g := group{c.what, c.school, c.role}
		now[g], nowAll[c.what] = now[g] || c.day == w.today, nowAll[c.what] || c.day == w.today
		if !seen[[2]string{c.who, c.what}] {
			seen[[2]string{c.who, c.what}] = true
			n[g]++
			all[c.what]++
		}
	}
	for g, many := range n {
		limit := l.limit(g.what, g.role, term)
		allowed := max(limit.Free, most(string(g.school), string(g.role))*limit.SchoolPercent/100)
		if now[g] && many > allowed {
			w.Harm.add(RightsSlipped, fmt.Sprintf("%s: %s of %d %ss of %s within %d days, %d are allowed; export: %s", w.today,
				g.what, many, g.role, g.school, window, allowed, l.truth.export))
		}
	}
	for what, many := range all {
		limit := l.limit(what, "", term)
		if allowed := max(limit.Free, most("", "")*limit.DistrictPercent/100); nowAll[what] && many > allowed {
			w.Harm.add(RightsSlipped, fmt.Sprintf("%s: %s of %d people of the district within %d days, %d are allowed; "+
				"export: %s", w.today, what, many, window, allowed, l.truth.export))
		}
	}
}

// column is a column of an export that somebody has filled down, for some days.
type column struct {
	what   string
	school schoolmail.SchoolID // "": all
	since  int
	until  int
	creeps int // so many people more each day; 0: all at once
}

// columns are what can be filled down.
var columns = []string{"role", "class", "language", "private mail", "telephone", "level", "given name", "school",
	"birth date"}

// fillDown spoils columns of an export, and reports whether it has.
func (l *Life) fillDown(rs []schoolmail.Record) bool {
	if l.filled.until < l.Days {
		l.filled = column{}
		if l.more.IntN(1000) >= 5 || len(rs) == 0 || len(l.lies) > 0 {
			return false
		}
		l.filled = column{what: pick(l.more, columns), school: pick(l.more, rs).Memberships[0].School, since: l.Days,
			until: l.Days + l.more.IntN(9), creeps: l.more.IntN(2) * (2 + l.more.IntN(4))}
		if l.more.IntN(3) == 0 {
			l.filled.school = ""
		}
		l.Lies["column filled down"]++
	}
	f := l.filled
	if f.what == "" {
		return false
	}
	l.calm = l.Days + 30
	l.truth.export += ", " + f.what + " filled down at " + string(f.school)
	left := f.creeps * (l.Days - f.since + 1)
	for i := range rs {
		if r := &rs[i]; f.school == "" || atSchool(r.Memberships, f.school) {
			if left--; f.creeps == 0 || left >= 0 {
				f.fill(r)
			}
		}
	}
	return true
}

func (f *column) fill(r *schoolmail.Record) {
	ms := slices.Clone(r.Memberships)
	r.Memberships = ms
	switch f.what {
	case "role":
		r.Role = schoolmail.RoleTeacher
	case "class":
		for i := range ms {
			ms[i].Classes = []string{"9z"}
		}
	case "language":
		r.Language = "it"
	case "birth date": // shifted
		if r.Traits.Birth != "" {
			r.Traits.Birth += "f"
		}
	case "private mail":
		r.NoticeMail = "school@home.example"
	case "telephone":
		r.Phone = "+41 31 000 00 00"
	case "level":
		for i := range ms {
			ms[i].Level = map[bool]schoolmail.SchoolLevel{true: "primary", false: "secondary"}[ms[i].Level == "secondary"]
		}
	case "given name":
		r.GivenName = "Kim"
	case "school": // its code is that of another one
		for i := range ms {
			if f.school == "" || ms[i].School == f.school {
				ms[i].School = "ps-nowhere"
			}
		}
	}
}
