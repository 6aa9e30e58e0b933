package schoolmail

import "slices"

// accountField is one thing about an account. Those that have copy are what a
// delivery or the policy can change and an undo can set back.
type accountField struct {
	name    string
	differs func(a, b *Account) bool
	copy    func(dst, src *Account)
	text    func(a *Account) string // as people read it
}

// accountFields in the order in which plans name them.
var accountFields = []accountField{
	fieldOf("given_name", func(a *Account) *string { return &a.GivenName }),
	fieldOf("family_name", func(a *Account) *string { return &a.FamilyName }),
	fieldOf("display_name", func(a *Account) *string { return &a.DisplayName }),
	fieldOf("role", func(a *Account) *Role { return &a.Role }),
	{"memberships", func(a, b *Account) bool { return !sameMemberships(a, b) },
		func(dst, src *Account) { dst.Memberships = src.Memberships },
		func(a *Account) string { return allSchools(a.Memberships) }},
	fieldOf("phone", func(a *Account) *string { return &a.Phone }),
	fieldOf("notice_mail", func(a *Account) *string { return &a.NoticeMail }),
	fieldOf("language", func(a *Account) *string { return &a.Language }),
	fieldOf("access", func(a *Account) *string { return &a.Access }),
	{"traits", func(a, b *Account) bool { return a.Traits != b.Traits },
		func(dst, src *Account) { dst.Traits = src.Traits },
		func(a *Account) string { return a.Traits.text() }},
}

func sameMemberships(a, b *Account) bool {
	return slices.EqualFunc(a.Memberships, b.Memberships, func(x, y Membership) bool {
		return x.School == y.School && slices.Equal(x.Classes, y.Classes)
	})
}

func fieldOf[T ~string](name string, at func(*Account) *T) accountField {
	return accountField{name,
		func(a, b *Account) bool { return *at(a) != *at(b) },
		func(dst, src *Account) { *at(dst) = *at(src) },
		func(a *Account) string { return string(*at(a)) }}
}

// changes lists what differs between an account and what is wanted of it.
func changes(before, after *Account) []string {
	var names []string
	for _, f := range accountFields {
		if f.differs(before, after) {
			names = append(names, f.name)
		}
	}
	return names
}

// fieldSet says which of accountFields differ, a bit for each.
type fieldSet uint16

// changes is changes for steps: those of whom the same differs share a list.
func (d *decisions) changes(before, after *Account) []string {
	var set fieldSet
	for i := range accountFields {
		if accountFields[i].differs(before, after) {
			set |= 1 << i
		}
	}
	if set == 0 {
		return nil
	}
	list, known := d.lists[set]
	if !known {
		list = slices.Clip(changes(before, after))
		d.lists[set] = list
	}
	return list
}

// setField takes one field, as [changes] names it, from another account.
func setField(dst, src *Account, name string) {
	for _, f := range accountFields {
		if f.name == name {
			f.copy(dst, src)
		}
	}
}
