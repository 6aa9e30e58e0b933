package ucs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// field is one thing about an account that can change by itself.
type field struct {
	name string
	text func(a *schoolmail.Account) string // equal texts mean equal values
	copy func(dst, src *schoolmail.Account)
	// between, if set, decides instead of equality whether the live value may
	// be overwritten.
	between func(live, before, after *schoolmail.Account) bool
}

func stringField(name string, at func(*schoolmail.Account) *string) field {
	return field{name: name,
		text: func(a *schoolmail.Account) string { return *at(a) },
		copy: func(dst, src *schoolmail.Account) { *at(dst) = *at(src) }}
}

// fields are all of an account besides user name, key and DN.
var fields = []field{
	{name: "role", text: func(a *schoolmail.Account) string { return string(a.Role) },
		copy: func(d, s *schoolmail.Account) { d.Role = s.Role }},
	stringField("given name", func(a *schoolmail.Account) *string { return &a.GivenName }),
	stringField("family name", func(a *schoolmail.Account) *string { return &a.FamilyName }),
	stringField("display name", func(a *schoolmail.Account) *string { return &a.DisplayName }),
	stringField("mail", func(a *schoolmail.Account) *string { return &a.Mail }),
	{name: "aliases", text: func(a *schoolmail.Account) string { return strings.Join(a.Aliases, " ") },
		copy: func(d, s *schoolmail.Account) { d.Aliases = s.Aliases }},
	stringField("phone", func(a *schoolmail.Account) *string { return &a.Phone }),
	stringField("notice mail", func(a *schoolmail.Account) *string { return &a.NoticeMail }),
	stringField("language", func(a *schoolmail.Account) *string { return &a.Language }),
	{name: "memberships", text: membershipText, copy: func(d, s *schoolmail.Account) { d.Memberships = s.Memberships },
		between: onTheWay},
	{name: "context", text: func(a *schoolmail.Account) string { return fmt.Sprint(int(a.Context)) },
		copy: func(d, s *schoolmail.Account) { d.Context = s.Context }},
	{name: "state", text: func(a *schoolmail.Account) string { return string(a.State) },
		copy: func(d, s *schoolmail.Account) { d.State = s.State }},
	{name: "notice date", text: func(a *schoolmail.Account) string { return a.NoticedOn.String() },
		copy: func(d, s *schoolmail.Account) { d.NoticedOn = s.NoticedOn }},
	{name: "reminder date", text: func(a *schoolmail.Account) string { return a.RemindedOn.String() },
		copy: func(d, s *schoolmail.Account) { d.RemindedOn = s.RemindedOn }},
	{name: "deactivation date", text: func(a *schoolmail.Account) string { return a.Deactivated.String() },
		copy: func(d, s *schoolmail.Account) { d.Deactivated = s.Deactivated }},
	{name: "previous place", text: func(a *schoolmail.Account) string { return fmt.Sprint(a.Previous) },
		copy: func(d, s *schoolmail.Account) { d.Previous = s.Previous }},
	stringField("access", func(a *schoolmail.Account) *string { return &a.Access }),
	{name: "day of creation", text: func(a *schoolmail.Account) string { return a.Made.String() },
		copy: func(d, s *schoolmail.Account) { d.Made = s.Made }},
	{name: "marks", text: func(a *schoolmail.Account) string { return marksText(a.Marks) },
		copy: func(d, s *schoolmail.Account) { d.Marks = s.Marks }},
	{name: "traits", text: func(a *schoolmail.Account) string { return a.Traits.Birth + "/" + a.Traits.Number },
		copy: func(d, s *schoolmail.Account) { d.Traits = s.Traits }},
	{name: "former names", text: func(a *schoolmail.Account) string { return formerText(a.Former) },
		copy: func(d, s *schoolmail.Account) { d.Former = s.Former }},
	stringField("wished name", func(a *schoolmail.Account) *string { return &a.Called }),
	{name: "hold", text: func(a *schoolmail.Account) string { return fmt.Sprint(a.Held) },
		copy: func(d, s *schoolmail.Account) { d.Held = s.Held }},
	{name: "unlisted", text: func(a *schoolmail.Account) string { return fmt.Sprint(a.Unlisted) },
		copy: func(d, s *schoolmail.Account) { d.Unlisted = s.Unlisted }},
}

func membershipText(a *schoolmail.Account) string {
	var b strings.Builder
	for _, m := range a.Memberships {
		b.WriteString(string(m.School) + ":" + strings.Join(m.Classes, ",") + ";")
	}
	return b.String()
}

// onTheWay reports whether the live memberships lie between those of before
// and after, as a change that was cut off leaves them: the schools are those of
// one of the two, and the classes of a school hold what both have and nothing
// that neither has.
func onTheWay(live, before, after *schoolmail.Account) bool {
	schools := func(a *schoolmail.Account) string {
		var b strings.Builder
		for _, m := range a.Memberships {
			b.WriteString(string(m.School) + ";")
		}
		return b.String()
	}
	if s := schools(live); s != schools(before) && s != schools(after) {
		return false
	}
	for _, m := range live.Memberships {
		b, a := classesAt(before, m.School), classesAt(after, m.School)
		for _, c := range m.Classes {
			if !slices.Contains(b, c) && !slices.Contains(a, c) {
				return false
			}
		}
		for _, c := range b {
			if slices.Contains(a, c) && !slices.Contains(m.Classes, c) {
				return false
			}
		}
	}
	return true
}

func classesAt(a *schoolmail.Account, id schoolmail.SchoolID) []string {
	for _, m := range a.Memberships {
		if m.School == id {
			return m.Classes
		}
	}
	return nil
}

// tidyAccount brings an account from outside into the form in which accounts are
// read: lower-case addresses, sorted lists, memberships without level and
// dates, and one for each school.
func tidyAccount(a schoolmail.Account) schoolmail.Account {
	a.Username = strings.ToLower(a.Username)
	a.Mail = strings.ToLower(a.Mail)
	a.Aliases = aliases(a.Aliases, a.Mail)
	by := map[schoolmail.SchoolID][]string{}
	var order []schoolmail.SchoolID
	for _, m := range a.Memberships {
		if _, ok := by[m.School]; !ok {
			order = append(order, m.School)
		}
		by[m.School] = append(by[m.School], m.Classes...)
	}
	a.Memberships = nil
	for _, id := range order {
		classes := slices.Clone(by[id])
		slices.Sort(classes)
		a.Memberships = append(a.Memberships, schoolmail.Membership{School: id, Classes: slices.Compact(classes)})
	}
	slices.SortFunc(a.Memberships, func(x, y schoolmail.Membership) int {
		return strings.Compare(string(x.School),
			string(y.School))
	})
	return a
}

// merge returns what the live account shall become: what changes between
// before and after is taken from after, the rest stays. A field that changes
// but is neither as before nor as after is a conflict.
func merge(live, before, after schoolmail.Account) (schoolmail.Account, error) {
	out := live
	for _, f := range fields {
		b, a, l := f.text(&before), f.text(&after), f.text(&live)
		if b == a {
			continue
		}
		ok := l == b || l == a
		if !ok && f.between != nil {
			ok = f.between(&live, &before, &after)
		}
		if !ok {
			return out, conflict("%s was changed by somebody else", f.name)
		}
		f.copy(&out, &after)
	}
	return out, nil
}

// differ reports whether any of the named fields differs.
func differ(a, b *schoolmail.Account, names ...string) bool {
	for _, f := range fields {
		if slices.Contains(names, f.name) && f.text(a) != f.text(b) {
			return true
		}
	}
	return false
}
