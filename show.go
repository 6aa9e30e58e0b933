package schoolmail

import (
	"fmt"
	"strings"
)

// Change is one field that a step changes, for people to read. An empty text means
// that there is nothing.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// String returns "field: old -> new".
func (c Change) String() string {
	text := func(s string) string {
		if s == "" {
			return "(none)"
		}
		return s
	}
	return c.Field + ": " + text(c.Before) + " -> " + text(c.After)
}

// Changes lists what a step changes, field by field: of the account, or of the user
// in Open-Xchange when only that is repaired.
func (s Step) Changes() []Change {
	if a, ok := s.Action.(interface{ changes() []Change }); ok {
		return a.changes()
	}
	before, after := s.Action.states()
	return accountChanges(before, after)
}

// DisplayName is what the person of the step is called, as the step leaves them;
// "" if it is about nobody.
func (s Step) DisplayName() string {
	before, after := s.Action.states()
	switch {
	case after != nil && after.DisplayName != "":
		return after.DisplayName
	case before != nil:
		return before.DisplayName
	}
	return ""
}

// shownFields are what a step can change of an account, in the order in which it is
// shown.
var shownFields = func() []accountField {
	fields := []accountField{
		fieldOf("username", func(a *Account) *string { return &a.Username }),
		fieldOf("mail", func(a *Account) *string { return &a.Mail }),
		ofText("aliases", func(a *Account) string { return strings.Join(a.Aliases, ", ") }),
	}
	fields = append(fields, accountFields...)
	return append(fields,
		ofText("old_address_until", func(a *Account) string {
			var days []string
			for _, f := range a.Former {
				days = append(days, f.Until.String())
			}
			return strings.Join(days, ", ")
		}),
		ofText("context", func(a *Account) string {
			if a.Context == 0 {
				return ""
			}
			return fmt.Sprint(int(a.Context))
		}),
		fieldOf("state", func(a *Account) *LifeCycle { return &a.State }),
		ofText("noticed_on", func(a *Account) string { return dateText(a.NoticedOn) }),
		ofText("reminded_on", func(a *Account) string { return dateText(a.RemindedOn) }),
		ofText("deactivated_on", func(a *Account) string { return dateText(a.Deactivated) }),
		ofText("old_copy", func(a *Account) string {
			if a.Previous == (Previous{}) {
				return ""
			}
			return fmt.Sprintf("context %d since %s", a.Previous.Context, a.Previous.Since)
		}),
	)
}()

// ofText is a field that is only shown.
func ofText(name string, text func(*Account) string) accountField {
	return accountField{name: name, text: text, differs: func(a, b *Account) bool { return text(a) != text(b) }}
}

func dateText(d Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

// accountChanges compares two accounts; nil: there is none.
func accountChanges(before, after *Account) []Change {
	var none Account
	if before == nil {
		before = &none
	}
	if after == nil {
		after = &none
	}
	var list []Change
	for _, f := range shownFields {
		if !f.differs(before, after) {
			continue
		}
		c := Change{Field: f.name, Before: f.text(before), After: f.text(after)}
		if c.Before == c.After { // what is kept as hashes
			c.After = "other " + c.After
		}
		list = append(list, c)
	}
	return list
}

func (a CreateContext) changes() []Change {
	return []Change{{"id", "", fmt.Sprint(int(a.Spec.ID))}, {"name", "", a.Spec.Name},
		{"capacity", "", fmt.Sprint(a.Spec.Capacity)}, {"headroom", "", fmt.Sprint(a.Spec.Headroom)}}
}

// changes are those of the user in Open-Xchange; the account stays as it is.
func (a RepairPlace) changes() []Change {
	w, p := &a.Account, &a.Found
	if a.Missing {
		return []Change{{"user in context", "", fmt.Sprint(int(w.Context))}}
	}
	mail := func(on bool) string { return [2]string{"off", "on"}[count(on)] }
	var list []Change
	for _, c := range []Change{{"display_name", p.DisplayName, w.DisplayName}, {"given_name", p.GivenName, w.GivenName},
		{"family_name", p.FamilyName, w.FamilyName}, {"mail", p.Mail, w.Mail},
		{"mail switch", mail(p.MailEnabled), mail(w.State != Deactivated)}} {
		if c.Before != c.After && a.Found != (Place{}) && (c.Field != "mail" || !strings.EqualFold(c.Before, c.After)) {
			c.Field = fmt.Sprintf("%s in context %d", c.Field, w.Context)
			list = append(list, c)
		}
	}
	return list
}

// changes are those of the account, or the copy that goes.
func (a DropCopy) changes() []Change {
	if a.Leftover != nil {
		return []Change{{"cut-off copy", fmt.Sprintf("context %d", a.Leftover.Context), ""}}
	}
	return accountChanges(&a.Before, &a.After)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// allSchools are schools with all their classes.
func allSchools(ms []Membership) string {
	var list []string
	for _, m := range ms {
		s := string(m.School)
		if len(m.Classes) > 0 {
			s += " " + strings.Join(m.Classes, "+")
		}
		list = append(list, s)
	}
	return strings.Join(list, ", ")
}

func (t Traits) text() string {
	if t == (Traits{}) {
		return ""
	}
	return "kept as hashes"
}
