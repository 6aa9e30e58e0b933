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
}

func stringField(name string, at func(*schoolmail.Account) *string) field {
	return field{name,
		func(a *schoolmail.Account) string { return *at(a) },
		func(dst, src *schoolmail.Account) { *at(dst) = *at(src) }}
}

// fields are all of an account besides user name, key and DN.
var fields = []field{
	{"role", func(a *schoolmail.Account) string { return string(a.Role) }, func(d, s *schoolmail.Account) { d.Role = s.Role }},
	stringField("given name", func(a *schoolmail.Account) *string { return &a.GivenName }),
	stringField("family name", func(a *schoolmail.Account) *string { return &a.FamilyName }),
	stringField("display name", func(a *schoolmail.Account) *string { return &a.DisplayName }),
	stringField("mail", func(a *schoolmail.Account) *string { return &a.Mail }),
	{"aliases", func(a *schoolmail.Account) string { return strings.Join(a.Aliases, " ") },
		func(d, s *schoolmail.Account) { d.Aliases = s.Aliases }},
	stringField("phone", func(a *schoolmail.Account) *string { return &a.Phone }),
	stringField("notice mail", func(a *schoolmail.Account) *string { return &a.NoticeMail }),
	stringField("language", func(a *schoolmail.Account) *string { return &a.Language }),
	{"memberships", membershipText, func(d, s *schoolmail.Account) { d.Memberships = s.Memberships }},
	{"context", func(a *schoolmail.Account) string { return fmt.Sprint(int(a.Context)) },
		func(d, s *schoolmail.Account) { d.Context = s.Context }},
	{"state", func(a *schoolmail.Account) string { return string(a.State) }, func(d, s *schoolmail.Account) { d.State = s.State }},
	{"notice date", func(a *schoolmail.Account) string { return a.NoticedOn.String() },
		func(d, s *schoolmail.Account) { d.NoticedOn = s.NoticedOn }},
	{"deactivation date", func(a *schoolmail.Account) string { return a.Deactivated.String() },
		func(d, s *schoolmail.Account) { d.Deactivated = s.Deactivated }},
	{"previous place", func(a *schoolmail.Account) string { return fmt.Sprint(a.Previous) },
		func(d, s *schoolmail.Account) { d.Previous = s.Previous }},
	{"hold", func(a *schoolmail.Account) string { return fmt.Sprint(a.Held) },
		func(d, s *schoolmail.Account) { d.Held = s.Held }},
}

func membershipText(a *schoolmail.Account) string {
	var b strings.Builder
	for _, m := range a.Memberships {
		b.WriteString(string(m.School) + ":" + strings.Join(m.Classes, ",") + ";")
	}
	return b.String()
}

// tidy brings an account from outside into the form in which accounts are
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
	slices.SortFunc(a.Memberships, func(x, y schoolmail.Membership) int { return strings.Compare(string(x.School), string(y.School)) })
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
		if l != b && l != a {
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
